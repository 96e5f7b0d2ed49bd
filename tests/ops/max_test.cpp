#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/reduction.hpp"

namespace fraqat::max_test {
namespace {

const test::Reducing subject{
    .f = [](const Var& x, const Axes& axes, bool keepdim) { return op::max(x, axes, keepdim); },
    .naive = [](const std::vector<double>& x) { return *std::max_element(x.begin(), x.end()); },
    .inputs = [](const Shape& shape) { return test::distinct(shape); },
};

}  // namespace

TEST_CASE("max: values, gradients, threads, errors over axes") {
  test::check_reduction("max", subject);
}

TEST_CASE("max: as PyTorch") { test::reduction_as_pytorch("max", subject); }

TEST_CASE("max: equal largest elements share the gradient") {
  Tape tape;
  const Var x(Tensor({2, 4}, std::array<Real, 8>{1, 3, 3, 0, -2, -2, -2, -2}), true);
  const Var y = op::max(x, {1});
  CHECK(test::numbers(y.value()) == std::vector<Real>{3, -2});
  tape.backward(op::sum(y));
  CHECK(test::numbers(x.grad()) == std::vector<Real>{0, 0.5, 0.5, 0, 0.25, 0.25, 0.25, 0.25});
}

TEST_CASE("max: ties as PyTorch") {
  test::as_pytorch("max/ties", [](std::span<const Var> x) { return op::max(x[0], {1}); });
}

TEST_CASE("max: a NaN is not hidden, wherever it stands") {
  for (const Index length : {3, 17, 40'003})
    for (const Index at : {Index{0}, length / 2, length - 1}) {
      Tensor x({length}, Real(1));
      x[at] = std::numeric_limits<Real>::quiet_NaN();
      CHECK(std::isnan(op::max(Var(x)).value().item()));
    }
  constexpr Real inf = std::numeric_limits<Real>::infinity();
  CHECK(op::max(Var(Tensor({5}, -inf))).value().item() == -inf);
}

}  // namespace fraqat::max_test
