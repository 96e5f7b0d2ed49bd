#pragma once

#include <map>
#include <string>

#include "core/error.hpp"
#include "models/run/recipe.hpp"

/// Recipes from TOML text; to_toml is their inverse.
namespace fraqat::run {

/// Where values come from, for error texts.
struct RecipePlace {
  std::string origin;                // the file, or "--set"
  Error::Kind kind;                  // input or usage
  std::map<std::string, int> lines;  // of the keys that were read; none for --set

  /// Throws "[recipe] FILE:LINE: key: text".
  [[noreturn]] void refuse(const std::string& key, const std::string& text) const;
};

/// Changes the fields whose keys `text` has, and notes their lines in `place`.
void read_toml(const std::string& text, Recipe& recipe, RecipePlace& place);

/// Changes one field to what `value`, from a command line, says: TOML, or just
/// the word (a list without its brackets).
void set_key(const std::string& key, const std::string& value, Recipe& recipe);

}  // namespace fraqat::run
