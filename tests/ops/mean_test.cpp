#include "tests/support/op_test.hpp"

using namespace fraqat;

namespace {

Var average(std::span<const Var> x) { return op::mean(x[0]); }

}  // namespace

TEST_CASE("mean: gradient") {
  for (const Shape& shape : test::odd_shapes) test::gradcheck(average, {test::normal(shape)});
}

TEST_CASE("mean: by hand") {
  Tape tape;
  const Var x(Tensor({2, 2}, std::array<Real, 4>{1, 2, 3, 6}), true);
  const Var y = op::mean(x);
  CHECK(y.shape() == Shape{});
  CHECK(y.value().item() == 3);
  tape.backward(y);
  CHECK(test::numbers(x.grad()) == std::vector<Real>{0.25, 0.25, 0.25, 0.25});
}

TEST_CASE("mean: same bits for any number of threads") {
  test::same_bits_for_any_threads(average, {test::normal({37, 5021})});
}

TEST_CASE("mean: nothing has no mean") {
  CHECK_THROWS_WITH_AS(op::mean(Var(Tensor(Shape{0, 3}))),
                       "[mean] nothing to average: got shape [0, 3]; expected at least one element",
                       Error);
}
