#include <cmath>
#include <limits>

#include "tests/support/pools.hpp"

namespace fraqat::max_pool2d_test {

TEST_CASE("max_pool2d: gradient, the naive loop, PyTorch, threads; what is refused") {
  test::check_pool("max_pool2d",
                   {.f = op::max_pool2d,
                    .start = -std::numeric_limits<Real>::infinity(),  // padding never wins
                    .join = [](Real best, Real x, Real) { return std::max(best, x); },
                    .inputs = [](const Shape& s) { return test::distinct(s); }});
}

TEST_CASE("max_pool2d: of equal elements the first wins") {
  Tape tape;
  const Var x(Tensor({1, 2, 4, 1}, std::array<Real, 8>{3, 3, 1, 1, 3, 3, 0, 1}), true);
  tape.backward(op::sum(op::max_pool2d(x)));
  CHECK(test::numbers(x.grad()) == std::vector<Real>{1, 0, 1, 0, 0, 0, 0, 0});
}

TEST_CASE("max_pool2d: the first wins in windows that overlap, too") {
  Tape tape;
  const Var x(Tensor({1, 2, 3, 1}, Real(3)), true);
  tape.backward(op::sum(op::max_pool2d(x, {2, 1, 0})));
  CHECK(test::numbers(x.grad()) == std::vector<Real>{1, 1, 0, 0, 0, 0});
}

TEST_CASE("max_pool2d: overlapping windows add their gradients") {
  Tape tape;
  const Var x(Tensor({1, 1, 3, 1}, std::array<Real, 3>{0, 9, 1}), true);
  tape.backward(op::sum(op::max_pool2d(x, {3, 1, 1})));  // all three windows see the 9
  CHECK(test::numbers(x.grad()) == std::vector<Real>{0, 3, 0});
}

TEST_CASE("max_pool2d: a NaN wins wherever it stands") {
  for (const Index at : {0, 1, 2, 3}) {
    Tensor x({1, 2, 2, 1}, Real(1));
    x[at] = std::numeric_limits<Real>::quiet_NaN();
    CHECK(std::isnan(op::max_pool2d(Var(x)).value()[0]));
  }
}

TEST_CASE("max_pool2d: relu_max_pool2d gives the bits of relu before it") {
  for (const auto& [shape, options] : {std::pair{Shape{2, 6, 8, 6}, op::Pool2dOptions{}},
                                       {Shape{1, 5, 7, 19}, {}},
                                       {Shape{2, 5, 6, 3}, {3, 2, 1}},
                                       {Shape{1, 4, 4, 9}, {2, 1, 0}}}) {
    const auto run = [&, &shape = shape, &options = options](bool in_one) {
      Tensor numbers = test::normal(shape);
      for (Index i = 0; i < shape[1] * shape[3]; ++i) numbers[i] -= 9;  // windows that are off
      numbers[0] = std::numeric_limits<Real>::quiet_NaN();
      const Var x(numbers, true);
      Tape tape;
      const Var y = in_one ? op::relu_max_pool2d(x, options) : op::max_pool2d(op::relu(x), options);
      const Tensor shown = y.value();
      tape.backward(op::sum(op::mul(y, Var(test::normal(y.shape(), 2)))));
      std::vector<Real> all = test::numbers(shown);
      for (const Real d : test::numbers(x.grad())) all.push_back(d);
      CHECK(std::isnan(all[0]));
      all[0] = 0;
      return all;
    };
    CHECK(run(true) == run(false));
  }
}

}  // namespace fraqat::max_pool2d_test
