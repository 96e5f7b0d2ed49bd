#include <cmath>

#include "tests/support/elementwise.hpp"

namespace fraqat::softplus_test {
namespace {

const test::Unary subject{
    .f = [](const Var& x) { return op::softplus(x); },
    .naive = [](double x) { return std::log1p(std::exp(x)); },
    .edges = {-30, 19, 30, 80},
};

}  // namespace

TEST_CASE("softplus: values, gradient, threads") { test::check_unary(subject); }

TEST_CASE("softplus: as PyTorch") { test::unary_as_pytorch("softplus", subject); }

TEST_CASE("softplus: beta and threshold") {
  const test::Unary steep{
      .f = [](const Var& x) { return op::softplus(x, 2, 3); },
      .naive = [](double x) { return 2 * x > 3 ? x : std::log1p(std::exp(2 * x)) / 2; },
      .kinks = {Real(1.5)},
  };
  test::check_unary(steep);
  test::as_pytorch("softplus/steep",
                   [](std::span<const Var> x) { return op::softplus(x[0], 2, 3); });
}

TEST_CASE("softplus: far out it is 0 or x, even without a threshold") {
  const auto plain = [](const Var& x) { return op::softplus(x, 1, test::inf); };
  test::check_points(
      plain, {{-1000, 0, 0}, {1000, 1000, 1}, {test::inf, test::inf, 1}, {-test::inf, 0, 0}});
}

TEST_CASE("softplus: beta is above 0") {
  CHECK_THROWS_WITH_AS(op::softplus(Var(Tensor({1}, Real(0))), 0),
                       "[softplus] wrong beta: got 0; expected a number above 0", Error);
}

}  // namespace fraqat::softplus_test
