#include <cmath>

#include "tests/support/elementwise.hpp"

namespace fraqat::silu_test {
namespace {

const test::Unary subject{
    .f = op::silu,
    .naive = [](double x) { return x / (1 + std::exp(-x)); },
    .edges = {-30, 30},
};

}  // namespace

TEST_CASE("silu: values, gradient, threads") { test::check_unary(subject); }

TEST_CASE("silu: as PyTorch") { test::unary_as_pytorch("silu", subject); }

TEST_CASE("silu: far out it is 0 or x, not NaN") {
  test::check_points(op::silu, {{0, 0, Real(0.5)}, {-1000, 0, 0}, {1000, 1000, 1}});
}

}  // namespace fraqat::silu_test
