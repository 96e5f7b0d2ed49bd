#include "tests/support/elementwise.hpp"

namespace fraqat::leaky_relu_test {
namespace {

const test::Unary subject{
    .f = [](const Var& x) { return op::leaky_relu(x, Real(0.125)); },
    .naive = [](double x) { return x > 0 ? x : x / 8; },
    .kinks = {0},
};

}  // namespace

TEST_CASE("leaky_relu: values, gradient, threads") { test::check_unary(subject); }

TEST_CASE("leaky_relu: as PyTorch") { test::unary_as_pytorch("leaky_relu", subject); }

TEST_CASE("leaky_relu: the slope is 0.01 unless given, and holds at 0") {
  test::check_points([](const Var& x) { return op::leaky_relu(x); },
                     {{2, 2, 1}, {-2, -Real(0.02), Real(0.01)}, {0, 0, Real(0.01)}});
}

}  // namespace fraqat::leaky_relu_test
