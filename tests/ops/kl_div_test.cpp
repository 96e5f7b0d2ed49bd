#include <cmath>

#include "tests/support/losses.hpp"

namespace fraqat::kl_div_test {
namespace {

double term(double x, double t) { return t * (std::log(t) - x); }

}  // namespace

TEST_CASE("kl_div: values, gradient, threads, PyTorch") {
  test::check_loss("kl_div", {.f = op::kl_div,
                              .naive = term,
                              .targets = [](const Shape& s) { return test::uniform(s, 0, 1, 2); },
                              .count = [](const Shape& s) { return double(s[0]); }});
}

TEST_CASE("kl_div: nothing between equal distributions; zeros count for nothing") {
  const Var z(test::normal({5, 7}), true);
  Tape tape;
  const Var x = op::log_softmax(z);
  const Var y = op::kl_div(x, op::softmax(Var(z.value())).value());
  CHECK(std::abs(double(y.value().item())) < 1e-6);
  tape.backward(y);
  test::check_close(z.grad(), Tensor({5, 7}, Real(0)), 0, 1e-7);
  const Tensor certain({1, 2}, std::array<Real, 2>{0, 1});
  CHECK(op::kl_div(Var(Tensor({1, 2}, std::array<Real, 2>{-3, -2})), certain).value().item() == 2);
}

TEST_CASE("kl_div: a scalar has no batch") {
  CHECK_THROWS_WITH_AS(op::kl_div(Var(Tensor::scalar(1)), Tensor::scalar(1)),
                       "[kl_div] no batch axis: got a scalar; expected [N, ...]", Error);
}

}  // namespace fraqat::kl_div_test
