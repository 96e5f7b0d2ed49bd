#include "tests/support/golden.hpp"

namespace fraqat::global_avg_pool_test {
namespace {

Var average(std::span<const Var> x) { return op::global_avg_pool(x[0]); }

}  // namespace

TEST_CASE("global_avg_pool: gradient") {
  for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{2, 3, 5, 4}, Shape{3, 1, 7, 1}})
    test::gradcheck(average, {test::normal(shape)});
}

TEST_CASE("global_avg_pool: by hand") {
  Tape tape;
  const Var x(Tensor({2, 2, 1, 2}, std::array<Real, 8>{1, 10, 3, 30, 5, 50, 9, 70}), true);
  const Var y = op::global_avg_pool(x);
  CHECK(y.shape() == Shape{2, 2});
  CHECK(test::numbers(y.value()) == std::vector<Real>{2, 20, 7, 60});
  tape.backward(op::sum(op::mul(y, Var(Tensor({2, 2}, std::array<Real, 4>{2, 4, 6, 8})))));
  CHECK(test::numbers(x.grad()) == std::vector<Real>{1, 2, 1, 2, 3, 4, 3, 4});
}

TEST_CASE("global_avg_pool: as PyTorch") {
  test::as_pytorch("global_avg_pool/all",
                   [](std::span<const Var> x) { return op::global_avg_pool(x[0]); });
}

TEST_CASE("global_avg_pool: same bits for any number of threads") {
  test::same_bits_for_any_threads(average, {test::normal({37, 11, 13, 9})});
}

TEST_CASE("global_avg_pool: no image, no average") {
  CHECK_THROWS_WITH_AS(
      op::global_avg_pool(Var(Tensor({2, 3}, Real(0)))),
      "[global_avg_pool] no image: got x [2, 3]; expected x[N, H, W, C], H and W > 0", Error);
  CHECK_THROWS_AS(op::global_avg_pool(Var(Tensor(Shape{2, 0, 3, 1}))), Error);
}

}  // namespace fraqat::global_avg_pool_test
