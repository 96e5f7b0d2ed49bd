#include "tests/support/golden.hpp"

namespace fraqat::concat_test {
namespace {

test::Function along(int axis) {
  return [=](std::span<const Var> x) { return op::concat(x, axis); };
}

}  // namespace

TEST_CASE("concat: gradient") {
  for (const Shape& shape : test::odd_shapes)
    for (int axis = 0; axis < shape.rank(); ++axis) {
      test::gradcheck(along(axis), {test::normal(shape, 1)});
      test::gradcheck(along(axis - shape.rank()),
                      {test::normal(shape, 1), test::normal(shape, 2), test::normal(shape, 3)});
    }
  test::gradcheck(along(1), {test::normal({2, 1, 3}, 1), test::normal({2, 4, 3}, 2)});
}

TEST_CASE("concat: by hand") {
  const Var a(Tensor({2, 1}, std::array<Real, 2>{1, 2}), true);
  const Var b(Tensor({2, 2}, std::array<Real, 4>{3, 4, 5, 6}), true);
  Tape tape;
  const Var y = op::concat({a, b}, 1);
  CHECK(y.shape() == Shape{2, 3});
  CHECK(test::numbers(y.value()) == std::vector<Real>{1, 3, 4, 2, 5, 6});
  const Var w(Tensor({2, 3}, std::array<Real, 6>{1, 2, 3, 4, 5, 6}));
  tape.backward(op::sum(op::mul(y, w)));
  CHECK(test::numbers(a.grad()) == std::vector<Real>{1, 4});
  CHECK(test::numbers(b.grad()) == std::vector<Real>{2, 3, 5, 6});
}

TEST_CASE("concat: a variable twice, and one that wants no gradient") {
  const Var a(test::normal({2, 3}), true), b(test::normal({1, 3}));
  Tape tape;
  tape.backward(op::sum(op::concat({a, b, a}, 0)));
  CHECK(test::numbers(a.grad()) == std::vector<Real>(6, 2));
  CHECK(!b.grad());
  Tape second;
  CHECK(!op::concat({b, b}, 0).wants_grad());
  CHECK(second.nodes().empty());
}

TEST_CASE("concat: the node knows its inputs and attributes") {
  const Var a(Tensor({1, 2}, Real(0))), b(Tensor({1, 3}, Real(0)));
  Tape tape(Tape::Records::graph);
  op::concat({a, b}, -1);
  const Node& node = *tape.nodes().at(0);
  CHECK(node.op() == "concat");
  REQUIRE(node.inputs().size() == 2);
  CHECK(node.inputs()[1].id() == b.id());
  CHECK(node.attributes().get<Index>("axis") == 1);
}

TEST_CASE("concat: same bits for any number of threads") {
  test::same_bits_for_any_threads(along(1),
                                  {test::normal({131, 7, 61}, 1), test::normal({131, 5, 61}, 2)});
}

TEST_CASE("concat: as PyTorch") { test::as_pytorch("concat/three", along(1)); }

TEST_CASE("concat: what does not fit is refused") {
  const Var a(Tensor({2, 3}, Real(0)));
  CHECK_THROWS_WITH_AS(op::concat(std::span<const Var>(), 0),
                       "[concat] nothing to join: got no inputs; expected at least one", Error);
  CHECK_THROWS_WITH_AS(op::concat({a, a}, 2),
                       "[concat] no such axis: got 2 for x [2, 3]; expected -2 to 1", Error);
  CHECK_THROWS_WITH_AS(op::concat({a, Var(Tensor({3, 3}, Real(0)))}, 1),
                       "[concat] shapes differ: got [2, 3] and [3, 3] to be joined along axis 1; "
                       "expected the same extents everywhere else",
                       Error);
  CHECK_THROWS_AS(op::concat({a, Var(Tensor({2}, Real(0)))}, 0), Error);
  CHECK_THROWS_WITH_AS(op::concat({a, Var(Tensor(Shape{2, 0}))}, 1),
                       "[concat] an empty tensor: got [2, 0]; expected extents of 1 or more",
                       Error);
}

}  // namespace fraqat::concat_test
