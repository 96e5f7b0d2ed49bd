#include "tests/support/folder.hpp"

namespace fraqat::test {

// The one file that is told a path: all others compile alike in every checkout.
std::string tests_folder() { return FRAQAT_TESTS; }

}  // namespace fraqat::test
