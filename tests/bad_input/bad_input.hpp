#pragma once

#include <functional>
#include <string>
#include <vector>

/// Hostile and damaged files, one row a case.  Every row must end in an
/// Error{input} of one line that names the file and contains `expected`
/// (an offset, a key, a line), at once and without the memory the file claims.
///
/// To add a case: append a row to the table of its kind.  To add a kind: write
/// tests/bad_input/KIND_cases.cpp with a function `KIND_cases()`, declare it
/// below, add it to all_cases() in run.cpp and the file to tests/meson.build.
/// tools/test runs this program built with the address and undefined-behaviour
/// sanitizers, so a case that only reads too far is found as well.
namespace fraqat::test {

struct BadInput {
  std::string name;   // also the name of the file, so letters and dashes
  std::string bytes;  // what is in it
  std::function<void(const std::string& path)> load;
  std::string expected;  // part of the error's text
};

using BadInputs = std::vector<BadInput>;

BadInputs safetensors_cases();
BadInputs state_cases();
BadInputs png_cases();
BadInputs recipe_cases();
BadInputs idx_cases();
BadInputs cifar_cases();
BadInputs packed_cases();
BadInputs packed_width_cases();

/// "[who] ...", one line, of the one Error that `load()` throws; "" without one.
/// Fails the running test if it is another exception or another kind.
std::string input_error(const std::function<void()>& load);

/// Eight bytes of length, the header, the data: a safetensors file, right or not.
std::string safetensors_file(const std::string& header, const std::string& data = {});

}  // namespace fraqat::test
