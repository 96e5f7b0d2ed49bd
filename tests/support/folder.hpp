#pragma once

#include <string>

namespace fraqat::test {

/// Where the scripts and the golden files of the tests are: the path of tests/.
std::string tests_folder();

}  // namespace fraqat::test
