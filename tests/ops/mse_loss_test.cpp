#include "tests/support/losses.hpp"

namespace fraqat::mse_loss_test {

TEST_CASE("mse_loss: values, gradient, threads, PyTorch") {
  test::check_loss("mse_loss", {.f = op::mse_loss,
                                .naive = [](double x, double t) { return (x - t) * (x - t); },
                                .targets = [](const Shape& s) { return test::normal(s, 2); }});
}

TEST_CASE("mse_loss: by hand") {
  Tape tape;
  const Var x(Tensor({2}, std::array<Real, 2>{1, 5}), true);
  const Var y = op::mse_loss(x, Tensor({2}, std::array<Real, 2>{3, 4}));
  CHECK(y.value().item() == Real(2.5));
  tape.backward(y);
  CHECK(test::numbers(x.grad()) == std::vector<Real>{-2, 1});
}

TEST_CASE("mse_loss: no targets are refused, for a scalar too") {
  CHECK_THROWS_WITH_AS(op::mse_loss(Var(Tensor::scalar(1)), Tensor()),
                       "[mse_loss] no targets: got an empty tensor; expected []", Error);
}

}  // namespace fraqat::mse_loss_test
