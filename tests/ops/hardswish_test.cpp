#include "tests/support/elementwise.hpp"

namespace fraqat::hardswish_test {
namespace {

const test::Unary subject{
    .f = op::hardswish,
    .naive =
        [](double x) {
          return x * (x < -3 ? 0 : x > 3 ? 6 : x + 3) / 6;
        },
    .low = -5,
    .high = 5,
    .kinks = {-3, 3},
};

}  // namespace

TEST_CASE("hardswish: values, gradient, threads") { test::check_unary(subject); }

TEST_CASE("hardswish: as PyTorch") { test::unary_as_pytorch("hardswish", subject); }

TEST_CASE("hardswish: both ends belong to the curve") {
  test::check_points(op::hardswish, {{-3, 0, -Real(0.5)},
                                     {3, 3, Real(1.5)},
                                     {0, 0, Real(0.5)},
                                     {-test::inf, 0, 0},
                                     {test::inf, test::inf, 1}});
}

}  // namespace fraqat::hardswish_test
