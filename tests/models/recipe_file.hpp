#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace fraqat::test {

/// A recipe file that is gone with the test.
class RecipeFile {
 public:
  explicit RecipeFile(const std::string& text, const std::string& name = "recipe.toml")
      : folder_(std::filesystem::temp_directory_path() /
                ("fraqat-recipe-" + std::to_string(::getpid()))),
        path_((folder_ / name).string()) {
    std::filesystem::create_directories(folder_);
    std::ofstream(path_, std::ios::binary) << text;
  }
  ~RecipeFile() { std::filesystem::remove_all(folder_); }
  RecipeFile(const RecipeFile&) = delete;
  RecipeFile& operator=(const RecipeFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::filesystem::path folder_;
  std::string path_;
};

}  // namespace fraqat::test
