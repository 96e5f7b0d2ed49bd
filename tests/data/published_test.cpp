#include <doctest/doctest.h>

#include <numeric>

#include "data/registry.hpp"
#include "tests/support/skipped.hpp"

namespace fraqat::published_test {

using namespace fraqat::data;

namespace {

/// Sum of all pixels, samples per class, and the first labels, as numpy counts
/// them in the unpacked files.
void check_real_set(const char* name, Split split, Index size, std::int64_t pixel_sum,
                    const std::vector<int>& per_class, const std::vector<int>& first_labels) {
  if (!find(name).found)
    return test::skipped(name, "not here; try: " + std::string(info(name).how_to_get));
  const auto set = open_bytes(name, split);
  REQUIRE(set->size() == size);
  std::int64_t sum = 0;
  std::vector<int> seen(10);
  for (Index i = 0; i < size; ++i) {
    const auto bytes = set->bytes(i);
    sum = std::accumulate(bytes.begin(), bytes.end(), sum);
    ++seen[static_cast<std::size_t>(set->label(i))];
  }
  CHECK(sum == pixel_sum);
  CHECK(seen == per_class);
  for (std::size_t i = 0; i < first_labels.size(); ++i)
    CHECK(set->label(static_cast<Index>(i)) == first_labels[i]);
}

}  // namespace

TEST_CASE("fashion-mnist: 60,000 and 10,000 images, as published") {
  check_real_set("fashion-mnist", Split::train, 60000, 3431114169, std::vector<int>(10, 6000),
                 {9, 0, 0, 3, 0, 2, 7, 2, 5, 5});
  check_real_set("fashion-mnist", Split::test, 10000, 573469082, std::vector<int>(10, 1000),
                 {9, 2, 1, 1, 6, 1, 4, 6, 5, 7});
}

TEST_CASE("mnist: 60,000 and 10,000 images, as published") {
  check_real_set("mnist", Split::train, 60000, 1567298545,
                 {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949},
                 {5, 0, 4, 1, 9, 2, 1, 3, 1, 4});
  check_real_set("mnist", Split::test, 10000, 264923200,
                 {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009},
                 {7, 2, 1, 0, 4, 1, 4, 9, 5, 9});
}

TEST_CASE("cifar10: 50,000 and 10,000 images, as published") {
  check_real_set("cifar10", Split::train, 50000, 18540682003, std::vector<int>(10, 5000),
                 {6, 9, 9, 4, 1, 1, 2, 7, 8, 3});
  check_real_set("cifar10", Split::test, 10000, 3733375634, std::vector<int>(10, 1000),
                 {3, 8, 8, 0, 6, 6, 1, 6, 3, 1});
  if (!find("cifar10").found) return;
  const auto set = open_bytes("cifar10", Split::test);  // rows of 32 pixels of 3 bytes
  const auto bytes = set->bytes(7).subspan(3 * (3 * 32 + 5), 3);
  CHECK(std::vector<int>(bytes.begin(), bytes.end()) == std::vector{87, 93, 82});
}

}  // namespace fraqat::published_test
