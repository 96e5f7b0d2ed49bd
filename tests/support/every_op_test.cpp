#include <filesystem>

#include "tests/support/folder.hpp"
#include "tests/support/op_test.hpp"
#include "tests/support/skipped.hpp"

namespace fraqat::every_op_test {

// Runs behind the ops' own tests: doctest goes by the names of files.
TEST_CASE("every op has been compared with PyTorch, and between numbers of threads") {
  using test::Proof;
  if (test::ops_with(Proof::golden).empty() && test::ops_with(Proof::threads).empty()) {
    test::skipped("every op", "this process has run no op's tests before");
    return;
  }
  Index ops = 0;
  for (const char* folder : {"core/ops", "quant/ops"})
    for (const auto& file : std::filesystem::directory_iterator(
             std::filesystem::path(test::tests_folder()).parent_path() / folder)) {
      if (file.path().extension() != ".cpp") continue;
      const std::string op = file.path().stem().string();
      CAPTURE(op);
      CHECK(test::ops_with(Proof::golden).contains(op));
      CHECK(test::ops_with(Proof::threads).contains(op));
      ++ops;
    }
  CHECK(ops >= 60);
}

}  // namespace fraqat::every_op_test
