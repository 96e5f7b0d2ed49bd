#pragma once

#include <string>
#include <vector>

#include "models/run/sweep.hpp"
#include "models/run/toml_text.hpp"

namespace fraqat::run {

/// A name as a file name: what is no letter, digit, '.', '_' or '-' becomes '-'.
std::string folder_name(const std::string& name);

/// The keys and values in `table`, sections followed, in the order of the text;
/// what belongs to every row of its own (name, seed) is refused.
std::vector<Setting> settings_in(const toml::node& table, const std::string& path,
                                 RecipePlace& place);

/// A row before it is a recipe.
struct RowDraft {
  std::string name;
  std::vector<Setting> settings;
};

/// Every combination of what [grid.over] lists, the last list changing fastest; a row's
/// name is `name` with {axis} replaced by the axis' value.
std::vector<RowDraft> expand_grid(const std::string& name, const toml::node& over,
                                  RecipePlace& place);

}  // namespace fraqat::run
