#include <cmath>

#include "tests/support/elementwise.hpp"

namespace fraqat::gelu_test {
namespace {

const test::Unary subject{
    .f = [](const Var& x) { return op::gelu(x); },
    .naive = [](double x) { return x * std::erfc(-x * std::sqrt(0.5)) / 2; },
    .edges = {-8, -30, 8, 30},
};

}  // namespace

TEST_CASE("gelu: values, gradient, threads") { test::check_unary(subject); }

TEST_CASE("gelu: as PyTorch") { test::unary_as_pytorch("gelu", subject); }

TEST_CASE("gelu: the form made of tanh") {
  const test::Unary approximate{
      .f = [](const Var& x) { return op::gelu(x, op::GeluForm::tanh); },
      .naive =
          [](double x) {
            const double u = std::sqrt(2 / std::acos(-1)) * (x + 0.044715 * x * x * x);
            return x / (1 + std::exp(-2 * u));
          },
  };
  test::check_unary(approximate);
  test::as_pytorch("gelu/tanh",
                   [](std::span<const Var> x) { return op::gelu(x[0], op::GeluForm::tanh); });
}

TEST_CASE("gelu: far out it is 0 or x, not NaN") {
  for (const op::GeluForm form : {op::GeluForm::erf, op::GeluForm::tanh})
    test::check_points([form](const Var& x) { return op::gelu(x, form); },
                       {{0, 0, Real(0.5)},
                        {-1000, 0, 0},
                        {1000, 1000, 1},
                        {Real(-1e30), 0, 0},
                        {Real(1e30), Real(1e30), 1}});
}

TEST_CASE("gelu: keeps its digits far below 0") {
  // x Phi(x) at -5: -5 * 2.866515718791939e-7
  CHECK(op::gelu(Var(Tensor({1}, Real(-5)))).value()[0] ==
        doctest::Approx(-1.4332578593959695e-6).epsilon(1e-5));
}

}  // namespace fraqat::gelu_test
