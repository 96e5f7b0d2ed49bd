#include <cmath>
#include <cstring>
#include <limits>

#include "tests/support/pools.hpp"

namespace fraqat::max_pool2d_test {

TEST_CASE("max_pool2d: gradient, the naive loop, PyTorch, threads; what is refused") {
  test::check_pool("max_pool2d",
                   {.f = op::max_pool2d,
                    .start = -std::numeric_limits<Real>::infinity(),  // padding never wins
                    .join = [](Real best, Real x, Real) { return std::max(best, x); },
                    .inputs = [](const Shape& s) { return test::distinct(s); },
                    .one_takes_all = true});
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

namespace {

// y and dx of max_pool2d(relu(x)), in one op or in two.  The first number is a NaN.
std::vector<Real> rectified(const test::PoolCase& c, std::uint64_t seed, bool in_one) {
  Tensor numbers = test::normal(c.x, seed);
  for (Index i = 0; i < c.x[1] * c.x[3]; ++i) numbers[i] -= 9;  // windows that are off
  numbers[0] = std::numeric_limits<Real>::quiet_NaN();
  const Var x(numbers, true);
  Tape tape;
  const Var y = in_one ? op::relu_max_pool2d(x, c.options) : op::max_pool2d(op::relu(x), c.options);
  std::vector<Real> all = test::numbers(y.value());
  tape.backward(op::sum(op::mul(y, Var(test::normal(y.shape(), seed + 1)))));
  for (const Real d : test::numbers(x.grad())) all.push_back(d);
  return all;
}

void check_rectified(const test::PoolCase& c, std::uint64_t seed) {
  INFO("x ", c.x, ", kernel ", c.options.kernel, ", stride ", c.options.stride, ", padding ",
       c.options.padding);
  const std::vector<Real> one = rectified(c, seed, true), two = rectified(c, seed, false);
  CHECK(std::isnan(one[0]));
  REQUIRE(one.size() == two.size());
  CHECK(std::memcmp(one.data(), two.data(), one.size() * sizeof(Real)) == 0);
}

}  // namespace

TEST_CASE("max_pool2d: relu_max_pool2d gives the bits of relu before it") {
  check_rectified({{2, 6, 8, 6}, {}}, 1);
  check_rectified({{1, 5, 7, 19}, {}}, 1);
  check_rectified({{2, 5, 6, 3}, {3, 2, 1}}, 1);
  check_rectified({{1, 4, 4, 9}, {2, 1, 0}}, 1);
  test::ShapeDice dice;
  for (std::uint64_t i = 0; i < 200; ++i) check_rectified(test::random_pool(dice), 10 * i);
}

}  // namespace fraqat::max_pool2d_test
