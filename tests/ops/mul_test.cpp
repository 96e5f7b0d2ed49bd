#include "tests/support/op_test.hpp"

using namespace fraqat;

namespace {

Var product(std::span<const Var> x) { return op::mul(x[0], x[1]); }

}  // namespace

TEST_CASE("mul: gradient, equal shapes and a single factor") {
  for (const Shape& shape : test::odd_shapes) {
    test::gradcheck(product, {test::normal(shape, 1), test::normal(shape, 2)});
    test::gradcheck(product, {test::normal(shape, 1), test::normal({1}, 2)});
    test::gradcheck(product, {test::normal(shape, 1), test::normal({1, 1}, 2)});
  }
}

TEST_CASE("mul: by hand") {
  Tape tape;
  const Var a(Tensor({3}, std::array<Real, 3>{1, -2, 3}), true);
  const Var b(Tensor({3}, std::array<Real, 3>{4, 5, -6}), true);
  const Var y = op::mul(a, b);
  CHECK(test::numbers(y.value()) == std::vector<Real>{4, -10, -18});
  tape.backward(op::sum(y));
  CHECK(test::numbers(a.grad()) == std::vector<Real>{4, 5, -6});
  CHECK(test::numbers(b.grad()) == std::vector<Real>{1, -2, 3});
}

TEST_CASE("mul: a single factor collects its gradient") {
  Tape tape;
  const Var a(Tensor({2, 2}, std::array<Real, 4>{1, 2, 3, 4}), true);
  const Var b(Tensor({1}, Real(-2)), true);
  tape.backward(op::sum(op::mul(a, b)));
  CHECK(test::numbers(a.grad()) == std::vector<Real>{-2, -2, -2, -2});
  CHECK(test::numbers(b.grad()) == std::vector<Real>{10});
}

TEST_CASE("mul: a times itself") {
  test::gradcheck([](std::span<const Var> x) { return op::mul(x[0], x[0]); },
                  {test::normal({3, 5})});
}

TEST_CASE("mul: same bits for any number of threads") {
  test::same_bits_for_any_threads(product,
                                  {test::normal({37, 1021}, 1), test::normal({37, 1021}, 2)});
  test::same_bits_for_any_threads(product, {test::normal({37, 1021}, 1), test::normal({1}, 2)});
}

TEST_CASE("mul: other shapes are refused") {
  CHECK_THROWS_WITH_AS(op::mul(Var(Tensor({2, 3}, Real(0))), Var(Tensor({3, 2}, Real(0)))),
                       "[mul] shapes differ: got [2, 3] and [3, 2]; expected equal shapes or a "
                       "second operand of one element",
                       Error);
}
