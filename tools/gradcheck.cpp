#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "tools/command.hpp"

namespace fraqat::tools {
namespace {

/// The checks need the library with Real = double, so they are another program,
/// which stands beside this one.
int gradcheck(const Common& options) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string program = (self.parent_path() / "fraqat-gradcheck").string();
  check(!error && ::access(program.c_str(), X_OK) == 0, "[gradcheck] ", program,
        " is missing: it is not built by default; try ninja -C build tools/fraqat-gradcheck");
  std::vector<std::string> words = {program};
  if (options.json) words.push_back("--json");
  if (options.quiet) words.push_back("--quiet");
  if (options.threads > 0) {
    words.push_back("--threads");
    words.push_back(std::to_string(options.threads));
  }
  if (options.seed) {
    words.push_back("--seed");
    words.push_back(std::to_string(*options.seed));
  }
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execv(program.c_str(), argv.data());
  fail(Error::Kind::failed, "[gradcheck] cannot start ", program, ": ", std::strerror(errno));
}

}  // namespace

void add_gradcheck(CLI::App& program) {
  const auto options = std::make_shared<Common>();
  Command(program, "gradcheck", "Prove the gradient of every operator, in double", options,
          [options] { return gradcheck(*options); });
}

}  // namespace fraqat::tools
