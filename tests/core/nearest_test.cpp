#include "core/nearest.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace fraqat::nearest_test {

TEST_CASE("nearest: distances and suggestions") {
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("train", "trian") == 1);
  CHECK(edit_distance("same", "same") == 0);
  const std::vector<std::string> words = {"train", "eval", "export"};
  CHECK(nearest("trian", words) == "train");
  CHECK(nearest("evla", words) == "eval");
  CHECK(nearest("zzz", words) == "");
  CHECK(nearest("", words) == "");
}

}  // namespace fraqat::nearest_test
