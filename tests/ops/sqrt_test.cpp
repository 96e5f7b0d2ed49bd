#include <cmath>

#include "tests/support/elementwise.hpp"

namespace fraqat::sqrt_test {
namespace {

const test::Unary subject{
    .f = op::sqrt,
    .naive = [](double x) { return std::sqrt(x); },
    .low = Real(0.2),
};

}  // namespace

TEST_CASE("sqrt: values, gradient, threads") { test::check_unary(subject); }

TEST_CASE("sqrt: as PyTorch") { test::unary_as_pytorch("sqrt", subject); }

TEST_CASE("sqrt: at its border") {
  test::check_points(op::sqrt, {{4, 2, Real(0.25)}, {0, 0, test::inf}, {-1, test::nan, test::nan}});
}

}  // namespace fraqat::sqrt_test
