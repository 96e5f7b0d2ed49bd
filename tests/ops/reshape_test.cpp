#include "tests/support/golden.hpp"

namespace fraqat::reshape_test {

TEST_CASE("reshape: gradient") {
  for (const Shape& shape : test::odd_shapes)
    test::gradcheck([](std::span<const Var> x) { return op::reshape(x[0], {-1}); },
                    {test::normal(shape)});
}

TEST_CASE("reshape: the same numbers, the same storage; an open extent") {
  const Var x(test::normal({2, 3, 4}));
  const Var y = op::reshape(x, {4, -1, 2});
  CHECK(y.shape() == Shape{4, 3, 2});
  CHECK(y.value().data() == x.value().data());
  CHECK(op::reshape(x, {24}).shape() == Shape{24});
  CHECK(op::reshape(Var(Tensor({1}, Real(5))), {}).shape() == Shape{});
}

TEST_CASE("reshape: flatten keeps the batch") {
  CHECK(op::flatten(Var(Tensor({2, 3, 1, 4}, Real(0)))).shape() == Shape{2, 12});
  CHECK(op::flatten(Var(Tensor({5}, Real(0)))).shape() == Shape{5, 1});
  test::gradcheck([](std::span<const Var> x) { return op::flatten(x[0]); },
                  {test::normal({3, 1, 2, 5})});
}

TEST_CASE("reshape: the described shape leaves the batch open") {
  for (const Index batch : {1, 7}) {
    Tape tape(Tape::Records::graph);
    op::flatten(Var(Tensor({batch, 2, 3}, Real(0))));
    REQUIRE(tape.nodes().size() == 1);
    CHECK(tape.nodes()[0]->attributes().get<std::vector<Index>>("shape") ==
          std::vector<Index>{-1, 6});
  }
}

TEST_CASE("reshape: as PyTorch") {
  test::as_pytorch("reshape/all", [](std::span<const Var> x) {
    return op::reshape(x[0], {4, -1});
  });
}

TEST_CASE("reshape: same bits for any number of threads") {
  test::same_bits_for_any_threads(
      [](std::span<const Var> x) {
        return op::reshape(x[0], {-1, 37});
      },
      {test::normal({37, 1021})});
}

TEST_CASE("reshape: what does not fit is refused") {
  const Var x(Tensor({2, 3}, Real(0)));
  CHECK_THROWS_WITH_AS(
      op::reshape(x, {-1, -1}),
      "[reshape] more than one extent is open: got -1 twice; expected it once at most", Error);
  CHECK_THROWS_WITH_AS(
      op::reshape(x, {-1, 4}),
      "[reshape] no extent fits: got [2, 3] to be divided by 4; expected a divisor of 6", Error);
  CHECK_THROWS_WITH_AS(
      op::reshape(x, {7}),
      "[reshape] sizes differ: got [2, 3] to [7]; expected the same number of elements", Error);
  for (const int rank : {-1, 6})
    CHECK_THROWS_WITH_AS(op::reshape(x, std::array<Index, Shape::max_rank>{6}, rank),
                         doctest::Contains("[reshape] no such rank: got "), Error);
  CHECK_THROWS_WITH_AS(op::reshape(x, {-1, Index{1} << 32, Index{1} << 32}),
                       doctest::Contains("[reshape] no extent fits: got [2, 3]"), Error);
  CHECK_THROWS_WITH_AS(op::reshape(x, {1, 1, 1, 1, 1, 6}),
                       "[reshape] too many dimensions: got 6; expected at most 5", Error);
  CHECK_THROWS_WITH_AS(op::reshape(x, {-2, -3}),
                       "[shape] negative extent: got -2; expected 0 or more", Error);
  CHECK_THROWS_WITH_AS(op::flatten(Var(Tensor::scalar(1))),
                       "[flatten] no batch axis: got a scalar; expected [N, ...]", Error);
}

}  // namespace fraqat::reshape_test
