#include "tests/support/elementwise.hpp"

namespace fraqat::abs_test {
namespace {

const test::Unary subject{
    .f = op::abs,
    .naive = [](double x) { return x < 0 ? -x : x; },
    .kinks = {0},
};

}  // namespace

TEST_CASE("abs: values, gradient, threads") { test::check_unary(subject); }

TEST_CASE("abs: as PyTorch") { test::unary_as_pytorch("abs", subject); }

TEST_CASE("abs: no gradient at 0") {
  test::check_points(op::abs, {{-2, 2, -1}, {0, 0, 0}, {3, 3, 1}, {-test::inf, test::inf, -1}});
}

}  // namespace fraqat::abs_test
