#include "models/run/recipe_files.hpp"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "core/error.hpp"
#include "core/text.hpp"

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

std::string find(const std::string& name, const char* what, const fs::path& under) {
  if (name.find('/') != std::string::npos || name.ends_with(".toml")) return name;
  std::vector<std::string> known;
  for (const fs::path& recipes : recipe_folders()) {
    const fs::path folder = recipes / under;
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
  const std::string none = "the name of one in " + ("models/recipes" / under).string();
  fail(Error::Kind::usage, "[", what, "] unknown ", what, ": got ", in_quotes(name),
       "; expected a file (*.toml) or ", text.empty() ? none : text);
}

}  // namespace

std::string find_recipe(const std::string& name) { return find(name, "recipe", ""); }

std::string find_sweep(const std::string& name) { return find(name, "sweep", "sweeps"); }

}  // namespace fraqat::run
