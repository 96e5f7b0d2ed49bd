#include "models/run/recipe.hpp"

#include <algorithm>
#include <filesystem>

#include "core/file.hpp"
#include "core/text.hpp"
#include "models/run/recipe_files.hpp"
#include "models/run/recipe_keys.hpp"
#include "models/run/recipe_toml.hpp"

namespace fraqat::run {
namespace {

namespace fs = std::filesystem;

/// Splits "key=value".
std::pair<std::string, std::string> split(const std::string& setting) {
  const std::size_t equals = setting.find('=');
  check_usage(equals != std::string::npos && equals > 0,
              "[recipe] --set has no key and value: got ", in_quotes(setting),
              "; expected key=value");
  const auto trimmed = [](std::string text) {
    text.erase(0, std::min(text.find_first_not_of(' '), text.size()));
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  };
  return {trimmed(setting.substr(0, equals)), trimmed(setting.substr(equals + 1))};
}

void check_conflicts(const Recipe& recipe, const RecipePlace& place) {
  const Conflict conflict = conflict_in(recipe);
  if (!conflict.key.empty()) place.refuse(conflict.key, conflict.text);
}

}  // namespace

Recipe parse_recipe(const std::string& text, const std::string& origin) {
  Recipe recipe;
  RecipePlace place{origin, Error::Kind::input, {}};
  read_toml(text, recipe, place);
  check_conflicts(recipe, place);
  return recipe;
}

Recipe load_recipe(const std::string& name_or_file, const std::vector<std::string>& overrides) {
  constexpr std::uint64_t most_bytes = std::uint64_t{1} << 20;
  const std::string file = find_recipe(name_or_file);
  Recipe recipe = parse_recipe(read_text_file(file, most_bytes), file);
  if (recipe.name.empty()) recipe.name = fs::path(file).stem().string();
  override_keys(recipe, overrides);
  return recipe;
}

void set_keys(Recipe& recipe, const std::vector<std::string>& overrides) {
  for (const std::string& setting : overrides) {
    const auto [key, value] = split(setting);
    set_key(key, value, recipe);
  }
}

void override_keys(Recipe& recipe, const std::vector<std::string>& overrides) {
  set_keys(recipe, overrides);
  check_conflicts(recipe, {"--set", Error::Kind::usage, {}});
}

}  // namespace fraqat::run
