#include "tests/support/op_test.hpp"

using namespace fraqat;

namespace {

Var total(std::span<const Var> x) { return op::sum(x[0]); }

}  // namespace

TEST_CASE("sum: gradient") {
  for (const Shape& shape : test::odd_shapes) test::gradcheck(total, {test::normal(shape)});
}

TEST_CASE("sum: every length around a lane and a chunk, by hand") {
  for (const Index n : {1, 7, 8, 9, 15, 16, 17, 4095, 16384, 16385, 40003}) {
    Tensor x({n});
    for (Index i = 0; i < n; ++i) x[i] = Real(i % 7);  // whole numbers: every sum is exact
    const Index weeks = n / 7, rest = n % 7;
    const Var y = op::sum(Var(x));
    INFO("n = ", n);
    CHECK(y.shape() == Shape{});
    CHECK(y.value().item() == Real(21 * weeks + rest * (rest - 1) / 2));
  }
}

TEST_CASE("sum: nothing has no sum") {
  CHECK_THROWS_WITH_AS(op::sum(Var(Tensor(Shape{2, 0}))),
                       "[sum] an empty tensor: got [2, 0]; expected extents of 1 or more", Error);
}

TEST_CASE("sum: same bits for any number of threads") {
  test::same_bits_for_any_threads(total, {test::normal({37, 5021})});
}
