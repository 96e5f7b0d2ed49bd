#include "tests/support/elementwise.hpp"

namespace fraqat::relu6_test {
namespace {

const test::Unary subject{
    .f = op::relu6,
    .naive = [](double x) { return x < 0   ? 0
                                   : x > 6 ? 6
                                           : x; },
    .low = -3,
    .high = 9,
    .kinks = {0, 6},
};

}  // namespace

TEST_CASE("relu6: values, gradient, threads") { test::check_unary(subject); }

TEST_CASE("relu6: as PyTorch") { test::unary_as_pytorch("relu6", subject); }

TEST_CASE("relu6: no gradient at both ends; a NaN is not hidden") {
  test::check_points(
      op::relu6,
      {{-1, 0, 0}, {0, 0, 0}, {3, 3, 1}, {6, 6, 0}, {7, 6, 0}, {test::nan, test::nan, 0}});
}

}  // namespace fraqat::relu6_test
