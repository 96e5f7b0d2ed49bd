#include <cmath>

#include "tests/support/losses.hpp"

namespace fraqat::l1_loss_test {
namespace {

// At least 0.06 above or below the inputs normal(shape, 1): no kink is met.
Tensor off_the_kink(const Shape& shape) {
  const Tensor x = test::normal(shape, 1);
  Tensor t = test::away_from({0}, test::normal(shape, 2));
  for (Index i = 0; i < t.size(); ++i) t[i] += x[i];
  return t;
}

}  // namespace

TEST_CASE("l1_loss: values, gradient, threads, PyTorch") {
  test::check_loss("l1_loss", {.f = op::l1_loss,
                               .naive = [](double x, double t) { return std::abs(x - t); },
                               .targets = off_the_kink});
}

TEST_CASE("l1_loss: no gradient where nothing differs") {
  Tape tape;
  const Var x(Tensor({4}, std::array<Real, 4>{1, 5, 2, 0}), true);
  const Var y = op::l1_loss(x, Tensor({4}, std::array<Real, 4>{3, 4, 2, 0}));
  CHECK(y.value().item() == Real(0.75));
  tape.backward(y);
  CHECK(test::numbers(x.grad()) == std::vector<Real>{-0.25, 0.25, 0, 0});
}

}  // namespace fraqat::l1_loss_test
