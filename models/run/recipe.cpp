#include "models/run/recipe.hpp"

#include <toml++/toml.h>
#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>

#include "core/file.hpp"
#include "core/nearest.hpp"
#include "core/text.hpp"
#include "models/run/recipe_keys.hpp"
#include "models/run/recipe_toml.hpp"

namespace fraqat::run {
namespace {

namespace fs = std::filesystem;

/// Folders with recipes, nearest first: of the working directory, of the source
/// tree that the program was built in (build/tools/fraqat), of the installation
/// (bin/fraqat).
std::vector<fs::path> recipe_folders() {
  std::vector<fs::path> folders = {"models/recipes"};
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) return folders;
  const fs::path above = program.parent_path().parent_path();
  folders.push_back(above.parent_path() / "models/recipes");
  folders.push_back(above / "share/fraqat/recipes");
  return folders;
}

/// `name` as a file of that name, or the recipe that comes with fraqat.
std::string find_recipe(const std::string& name) {
  if (name.find('/') != std::string::npos || name.ends_with(".toml")) return name;
  std::vector<std::string> known;
  for (const fs::path& folder : recipe_folders()) {
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
      if (it->path().extension() == ".toml") known.push_back(it->path().stem().string());
    const fs::path file = folder / (name + ".toml");
    if (fs::exists(file, error)) return file.string();
  }
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  std::string text;
  for (const std::string& one : known) text += (text.empty() ? "" : ", ") + one;
  fail(Error::Kind::usage, "[recipe] unknown recipe: got ", in_quotes(name),
       "; expected a file (*.toml) or ", text.empty() ? "the name of one in models/recipes" : text);
}

/// Splits "key=value".
std::pair<std::string, std::string> split(const std::string& setting) {
  const std::size_t equals = setting.find('=');
  check_usage(equals != std::string::npos && equals > 0, "[recipe] --set ", in_quotes(setting),
              ": no key and value; expected key=value");
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
  for (const std::string& setting : overrides) {
    const auto [key, value] = split(setting);
    set_key(key, value, recipe);
  }
  check_conflicts(recipe, {"--set", Error::Kind::usage, {}});
  return recipe;
}

}  // namespace fraqat::run
