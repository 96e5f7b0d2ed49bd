#include <cmath>

#include "tests/support/elementwise.hpp"

namespace fraqat::tanh_test {
namespace {

const test::Unary subject{
    .f = op::tanh,
    .naive = [](double x) { return 1 - 2 / (std::exp(2 * x) + 1); },
    .edges = {-30, 30},
};

}  // namespace

TEST_CASE("tanh: values, gradient, threads") { test::check_unary(subject); }

TEST_CASE("tanh: as PyTorch") { test::unary_as_pytorch("tanh", subject); }

TEST_CASE("tanh: far out it is flat, not NaN") {
  test::check_points(
      op::tanh, {{0, 0, 1}, {-1000, -1, 0}, {1000, 1, 0}, {-test::inf, -1, 0}, {test::inf, 1, 0}});
}

}  // namespace fraqat::tanh_test
