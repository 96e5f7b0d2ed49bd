#pragma once

#include <iostream>
#include <string_view>

namespace fraqat::test {

/// Says that a case cannot run here, in the words that the summary of all suites looks for.
inline void skipped(std::string_view what, std::string_view why) {
  std::cout << "skipped: " << what << " (" << why << ")\n";
}

}  // namespace fraqat::test
