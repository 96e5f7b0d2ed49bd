#include "tests/support/golden.hpp"

namespace fraqat::slice_test {
namespace {

test::Function range(int axis, Index begin, Index end) {
  return [=](std::span<const Var> x) { return op::slice(x[0], axis, begin, end); };
}

}  // namespace

TEST_CASE("slice: gradient") {
  for (const Shape& shape : test::odd_shapes)
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const Index extent = shape[axis];
      test::gradcheck(range(axis, 0, extent), {test::normal(shape)});
      test::gradcheck(range(axis - shape.rank(), extent / 2, extent), {test::normal(shape)});
    }
}

TEST_CASE("slice: by hand") {
  const Var x(Tensor({2, 3}, std::array<Real, 6>{1, 2, 3, 4, 5, 6}), true);
  Tape tape;
  const Var y = op::slice(x, 1, 1, 3);
  CHECK(y.shape() == Shape{2, 2});
  CHECK(test::numbers(y.value()) == std::vector<Real>{2, 3, 5, 6});
  tape.backward(op::sum(op::mul(y, y)));
  CHECK(test::numbers(x.grad()) == std::vector<Real>{0, 4, 6, 0, 10, 12});
}

TEST_CASE("slice: split, and concat puts it together again") {
  const Var x(test::normal({3, 6, 2}));
  const Vars parts = op::split(x, 3, 1);
  REQUIRE(parts.size() == 3);
  CHECK(parts[1].shape() == Shape{3, 2, 2});
  CHECK(test::numbers(parts[1].value()) == test::numbers(op::slice(x, 1, 2, 4).value()));
  CHECK(test::numbers(op::concat(parts, 1).value()) == test::numbers(x.value()));
  test::gradcheck(
      [](std::span<const Var> v) {
        const Vars halves = op::split(v[0], 2, -1);
        return op::mul(halves[0], halves[1]);
      },
      {test::normal({3, 4})});
}

TEST_CASE("slice: attributes") {
  Tape tape(Tape::Records::graph);
  op::slice(Var(Tensor({4, 5}, Real(0))), -1, 1, 3);
  const Attributes attributes = tape.nodes()[0]->attributes();
  CHECK(attributes.get<Index>("axis") == 1);
  CHECK(attributes.get<Index>("begin") == 1);
  CHECK(attributes.get<Index>("end") == 3);
}

TEST_CASE("slice: same bits for any number of threads") {
  test::same_bits_for_any_threads(range(1, 3, 17), {test::normal({131, 19, 61})});
}

TEST_CASE("slice: as PyTorch") { test::as_pytorch("slice/middle", range(1, 1, 4)); }

TEST_CASE("slice: impossible ranges are refused") {
  const Var x(Tensor({2, 3}, Real(0)));
  CHECK_THROWS_WITH_AS(op::slice(x, 1, 2, 4),
                       "[slice] impossible range: got 2 to 4 along axis 1 of x [2, 3]; expected 0 "
                       "<= begin < end <= 3",
                       Error);
  CHECK_THROWS_AS(op::slice(x, 1, 2, 2), Error);
  CHECK_THROWS_AS(op::slice(x, 1, -1, 2), Error);
  CHECK_THROWS_WITH_AS(op::slice(x, -3, 0, 1),
                       "[slice] no such axis: got -3 for x [2, 3]; expected -2 to 1", Error);
  CHECK_THROWS_WITH_AS(op::split(x, 2, 1),
                       "[split] no equal parts: got 2 along axis 1 of x [2, 3]; expected a divisor "
                       "of 3",
                       Error);
}

}  // namespace fraqat::slice_test
