#include "tests/support/golden.hpp"

using namespace fraqat;

namespace {

Var total(std::span<const Var> x) { return op::add(x[0], x[1]); }

}  // namespace

TEST_CASE("add: gradient, equal shapes and a single shift") {
  for (const Shape& shape : test::odd_shapes) {
    test::gradcheck(total, {test::normal(shape, 1), test::normal(shape, 2)});
    test::gradcheck(total, {test::normal(shape, 1), test::normal({1}, 2)});
    test::gradcheck(total, {test::normal(shape, 1), test::normal({}, 2)});
  }
}

TEST_CASE("add: by hand") {
  Tape tape;
  const Var a(Tensor({3}, std::array<Real, 3>{1, -2, 3}), true);
  const Var b(Tensor({1}, Real(10)), true);
  const Var y = op::add(a, b);
  CHECK(test::numbers(y.value()) == std::vector<Real>{11, 8, 13});
  tape.backward(op::sum(y));
  CHECK(test::numbers(a.grad()) == std::vector<Real>{1, 1, 1});
  CHECK(test::numbers(b.grad()) == std::vector<Real>{3});
}

TEST_CASE("add: as PyTorch") {
  for (const char* golden : {"add/equal", "add/scalar"}) test::as_pytorch(golden, total, 1e-6);
}

TEST_CASE("add: both gradients are one storage, and stay right") {
  Tape tape;
  const Var a(Tensor({2}, Real(1)), true), b(Tensor({2}, Real(1)), true);
  const Var y = op::add(a, b);
  const Var z = op::add(y, a);  // a collects twice, b must not notice
  tape.backward(op::sum(z));
  CHECK(test::numbers(a.grad()) == std::vector<Real>{2, 2});
  CHECK(test::numbers(b.grad()) == std::vector<Real>{1, 1});
}

TEST_CASE("add: a to itself, twice") {
  test::gradcheck(
      [](std::span<const Var> x) { return op::add(op::add(x[0], x[0]), op::add(x[0], x[0])); },
      {test::normal({3, 5})});
}

TEST_CASE("add: same bits for any number of threads") {
  test::same_bits_for_any_threads(total,
                                  {test::normal({37, 1021}, 1), test::normal({37, 1021}, 2)});
  test::same_bits_for_any_threads(total, {test::normal({37, 1021}, 1), test::normal({1}, 2)});
}

TEST_CASE("add: other shapes are refused") {
  CHECK_THROWS_WITH_AS(op::add(Var(Tensor({2, 3}, Real(0))), Var(Tensor({2}, Real(0)))),
                       "[add] shapes differ: got [2, 3] and [2]; expected equal shapes or a second "
                       "operand of one element",
                       Error);
}
