#include <cmath>

#include "tests/support/elementwise.hpp"

namespace fraqat::sigmoid_test {
namespace {

const test::Unary subject{
    .f = op::sigmoid,
    .naive = [](double x) { return 1 / (1 + std::exp(-x)); },
    .edges = {-30, 30, -80, 80},
};

}  // namespace

TEST_CASE("sigmoid: values, gradient, threads") { test::check_unary(subject); }

TEST_CASE("sigmoid: as PyTorch") { test::unary_as_pytorch("sigmoid", subject); }

TEST_CASE("sigmoid: far out it is flat, not NaN") {
  test::check_points(op::sigmoid, {{0, Real(0.5), Real(0.25)},
                                   {-1000, 0, 0},
                                   {1000, 1, 0},
                                   {-test::inf, 0, 0},
                                   {test::inf, 1, 0},
                                   {test::nan, test::nan, test::nan}});
}

}  // namespace fraqat::sigmoid_test
