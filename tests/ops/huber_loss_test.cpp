#include <cmath>

#include "tests/support/losses.hpp"

namespace fraqat::huber_loss_test {
namespace {

constexpr Real delta = Real(0.7), beta = Real(0.4);

double huber(double d, double bend) { return d < bend ? d * d / 2 : bend * (d - bend / 2); }

// Differences from the inputs normal(shape, 1) that stay away from all bends.
Tensor off_the_kinks(const Shape& shape) {
  const Tensor x = test::normal(shape, 1);
  Tensor t = test::away_from({-delta, -beta, beta, delta}, test::normal(shape, 2));
  for (Index i = 0; i < t.size(); ++i) t[i] += x[i];
  return t;
}

}  // namespace

TEST_CASE("huber_loss: values, gradient, threads, PyTorch") {
  test::check_loss(
      "huber_loss",
      {.f = [](const Var& x, const Tensor& t) { return op::huber_loss(x, t, delta); },
       .naive = [](double x, double t) { return huber(std::abs(x - t), double(delta)); },
       .targets = off_the_kinks});
}

TEST_CASE("huber_loss: smooth_l1_loss is the one with slope 1 far away") {
  const auto f = [](std::span<const Var> x) {
    return op::smooth_l1_loss(x[0], off_the_kinks(x[0].shape()), beta);
  };
  const Tensor x = test::normal({7, 5}, 1), t = off_the_kinks({7, 5});
  double expected = 0;
  for (Index i = 0; i < x.size(); ++i)
    expected += huber(std::abs(double(x[i]) - double(t[i])), double(beta)) / double(beta) / 35;
  CHECK(double(f(std::array{Var(x)}).value().item()) == doctest::Approx(expected).epsilon(1e-5));
  test::gradcheck(f, {x});
  test::as_pytorch("huber_loss/smooth-l1", [](std::span<const Var> v) {
    return op::smooth_l1_loss(v[0], v[1].value(), beta);
  });
}

TEST_CASE("huber_loss: by hand; the bend belongs to the line") {
  Tape tape;
  const Var x(Tensor({4}, std::array<Real, 4>{1, 2, 5, -3}), true);
  const Var y = op::huber_loss(x, Tensor({4}, Real(0)), 2);  // 0.5 + 2 + 8 + 4, over 4
  CHECK(y.value().item() == Real(3.625));
  tape.backward(y);
  CHECK(test::numbers(x.grad()) == std::vector<Real>{0.25, 0.5, 0.5, -0.5});
}

TEST_CASE("huber_loss: attributes") {
  const Var x(Tensor({1}, Real(1)));
  Tape tape(Tape::Records::graph);
  op::huber_loss(x, x.value(), 4);
  op::smooth_l1_loss(x, x.value(), 4);
  const Attributes huber = tape.nodes()[0]->attributes(), smooth = tape.nodes()[1]->attributes();
  CHECK(huber.get<double>("delta") == 4);
  CHECK(huber.get<double>("scale") == 1);
  CHECK(smooth.get<double>("delta") == 4);
  CHECK(smooth.get<double>("scale") == 0.25);
}

TEST_CASE("huber_loss: impossible bends are refused") {
  const Var x(Tensor({1}, Real(1)));
  CHECK_THROWS_WITH_AS(op::huber_loss(x, x.value(), 0),
                       "[huber_loss] delta is not positive: got 0; expected more than 0", Error);
  CHECK_THROWS_WITH_AS(op::smooth_l1_loss(x, x.value(), -1),
                       "[smooth_l1_loss] beta is not positive: got -1; expected more than 0; try "
                       "l1_loss",
                       Error);
}

}  // namespace fraqat::huber_loss_test
