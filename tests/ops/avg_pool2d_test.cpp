#include "tests/support/pools.hpp"

namespace fraqat::avg_pool2d_test {

TEST_CASE("avg_pool2d: gradient, the naive loop, PyTorch, threads; what is refused") {
  test::check_pool("avg_pool2d",
                   {.f = op::avg_pool2d,
                    .start = 0,  // and what padding counts as
                    .join = [](Real sum, Real x, Real share) { return sum + x * share; }});
}

TEST_CASE("avg_pool2d: by hand") {
  Tape tape;
  const Var x(Tensor({1, 2, 4, 1}, std::array<Real, 8>{1, 2, 5, 6, 3, 6, 7, 2}), true);
  const Var y = op::avg_pool2d(x);
  CHECK(test::numbers(y.value()) == std::vector<Real>{3, 5});
  tape.backward(op::sum(op::mul(y, Var(Tensor({1, 1, 2, 1}, std::array<Real, 2>{4, 8})))));
  CHECK(test::numbers(x.grad()) == std::vector<Real>{1, 1, 2, 2, 1, 1, 2, 2});
}

}  // namespace fraqat::avg_pool2d_test
