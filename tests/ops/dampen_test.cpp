#include <cmath>

#include "quant/ops.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/op_test.hpp"

namespace fraqat::dampen_test {

namespace {

/// 2 strength (x - y) within reach of each row, and dy.
test::DeclaredGradient declared(const Tensor& reach, double strength) {
  return [=](std::span<const Tensor> in, const Tensor& dy) {
    const Tensor &x = in[0], &y = in[1];
    Tensor dx(x.shape(), Real(0));
    const Index length = x.size() / reach.size();
    for (Index row = 0; row < reach.size(); ++row)
      for (Index i = row * length; i < (row + 1) * length; ++i) {
        const double apart = double(x[i]) - double(y[i]);
        if (apart <= double(reach[row]) && -apart <= double(reach[row]))
          dx[i] = Real(2 * strength * apart);
      }
    return std::vector<Tensor>{dx, dy};
  };
}

}  // namespace

TEST_CASE("dampen: the result is y, x is drawn to it where it is within reach") {
  for (const Shape& shape : {Shape{7}, Shape{3, 17}, Shape{2, 3, 1, 5}}) {
    for (const bool rows : {false, true}) {
      Tensor reach({rows ? shape[0] : 1}, Real(0.5));
      if (rows) reach[0] = Real(0.25);
      test::surrogate_check(
          "dampen",
          [=](std::span<const Var> in) { return op::dampen(in[0], in[1], reach, Real(0.3)); },
          {test::uniform(shape, -1, 1, 3), test::uniform(shape, -1, 1, 4)}, declared(reach, 0.3));
    }
  }
  const Tensor y = test::normal({5}, 2);
  CHECK(
      test::numbers(op::dampen(Var(test::normal({5})), Var(y), Tensor({1}, Real(1)), 1).value()) ==
      test::numbers(y));
}

TEST_CASE("dampen: the gradient is that of the squared distance") {
  // strength * sum (x - y)^2 by finite differences, y fixed and everything in reach.
  const Tensor x = test::uniform({9}, -1, 1, 5), y = test::uniform({9}, -1, 1, 6);
  Var weight(x, true);
  {
    Tape tape;
    const Var pulled = op::dampen(weight, Var(y), Tensor({1}, Real(2)), Real(0.7));
    tape.backward(op::mul(op::sum(pulled), Var(Tensor::scalar(0))));
  }
  const auto distance = [&](Index at, double by) {
    double sum = 0;
    for (Index i = 0; i < 9; ++i) {
      const double d = double(x[i]) + (i == at ? by : 0) - double(y[i]);
      sum += 0.7 * d * d;
    }
    return sum;
  };
  for (Index i = 0; i < 9; ++i)
    CHECK(double(weight.grad()[i]) ==
          doctest::Approx((distance(i, 1e-4) - distance(i, -1e-4)) / 2e-4).epsilon(1e-5));
}

TEST_CASE("dampen: same bits for any number of threads") {
  test::same_bits_for_any_threads(
      [](std::span<const Var> in) {
        return op::dampen(in[0], in[1], Tensor({1}, Real(0.5)), Real(0.1));
      },
      {test::normal({4, 33}, 1), test::normal({4, 33}, 2)});
}

TEST_CASE("dampen: what does not fit is refused") {
  const Var x(Tensor({3, 2}, Real(0)));
  CHECK_THROWS_WITH_AS(op::dampen(x, Var(Tensor({2, 3}, Real(0))), Tensor({1}, Real(1)), 1),
                       "[dampen] shapes differ: got x [3, 2] and y [2, 3]; expected two of one "
                       "shape",
                       Error);
  CHECK_THROWS_AS(op::dampen(x, x, Tensor({2}, Real(1)), 1), Error);
  CHECK_THROWS_AS(op::dampen(x, x, Tensor({1}, Real(1)), -1), Error);
}

TEST_CASE("dampen: as PyTorch") {
  test::as_pytorch("dampen/all", [](std::span<const Var> in) {
    return op::dampen(in[0], in[1], Tensor({1}, Real(0.5)), Real(0.3));
  });
}

}  // namespace fraqat::dampen_test
