#include <cmath>

#include "tests/support/golden.hpp"

namespace fraqat::log_softmax_test {
namespace {

Var log_softmax(std::span<const Var> x) { return op::log_softmax(x[0]); }

Tensor naive(const Tensor& x) {
  Tensor y(x.shape());
  const Index width = x.dim(-1);
  for (Index first = 0; first < x.size(); first += width) {
    double sum = 0;
    for (Index i = first; i < first + width; ++i) sum += std::exp(double(x[i]));
    for (Index i = first; i < first + width; ++i) y[i] = Real(double(x[i]) - std::log(sum));
  }
  return y;
}

}  // namespace

TEST_CASE("log_softmax: gradient; against the definition") {
  for (const Shape& shape : test::odd_shapes) {
    if (shape.rank() == 0) continue;
    const Tensor x = test::normal(shape);
    test::gradcheck(log_softmax, {x});
    test::check_close(op::log_softmax(Var(x)).value(), naive(x), 1e-5, 1e-6);
  }
}

TEST_CASE("log_softmax: large numbers neither overflow nor vanish") {
  const Tensor x({2, 2}, std::array<Real, 4>{10000, 0, -10000, -10000});
  const Real half = Real(-std::log(2.0));
  test::check_close(op::log_softmax(Var(x)).value(),
                    Tensor({2, 2}, std::array<Real, 4>{0, -10000, half, half}), 1e-6, 0);
}

TEST_CASE("log_softmax: same bits for any number of threads") {
  test::same_bits_for_any_threads(log_softmax, {test::normal({3001, 11})});
}

TEST_CASE("log_softmax: as PyTorch") { test::as_pytorch("log_softmax/all", log_softmax); }

TEST_CASE("log_softmax: nothing to choose from is refused") {
  CHECK_THROWS_WITH_AS(op::log_softmax(Var(Tensor::scalar(1))),
                       "[log_softmax] nothing to choose from: got x []; expected x[..., classes], "
                       "classes > 0",
                       Error);
  CHECK_THROWS_AS(op::log_softmax(Var(Tensor(Shape{3, 0}))), Error);
}

}  // namespace fraqat::log_softmax_test
