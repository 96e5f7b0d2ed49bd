#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "models/run/recipe.hpp"

/// Recipes from TOML text; to_toml is their inverse.
namespace fraqat::run {

/// Where values come from, for error texts.
struct RecipePlace {
  std::string origin;                // the file, or "--set"
  Error::Kind kind;                  // input or usage
  std::map<std::string, int> lines;  // of the keys that were read; none for --set
  std::string who = "recipe";        // or "sweep"
  std::string context = {};          // written before each key: a sweep names the row

  /// Throws "[who] FILE:LINE: key: text".
  [[noreturn]] void refuse(const std::string& key, const std::string& text) const;
};

/// Changes the fields whose keys `text` has, and notes their lines in `place`.
void read_toml(const std::string& text, Recipe& recipe, RecipePlace& place);

/// Changes one field to what `value`, from a command line, says: TOML, or just
/// the word (a list without its brackets).
void set_key(const std::string& key, const std::string& value, Recipe& recipe);

/// The same for every "key=value".
void set_keys(Recipe& recipe, const std::vector<std::string>& overrides);

/// The same, and checks that no keys contradict each other.
void override_keys(Recipe& recipe, const std::vector<std::string>& overrides);

/// set_key with a value that is TOML, from the place that `place` names.
void set_key_from_toml(const std::string& key, const std::string& value, Recipe& recipe,
                       RecipePlace& place);

/// Whether a recipe has a key of this name.
bool is_key(const std::string& path);

}  // namespace fraqat::run
