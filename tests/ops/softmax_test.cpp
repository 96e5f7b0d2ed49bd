#include <cmath>

#include "tests/support/golden.hpp"

namespace fraqat::softmax_test {
namespace {

Var softmax(std::span<const Var> x) { return op::softmax(x[0]); }

}  // namespace

TEST_CASE("softmax: gradient") {
  for (const Shape& shape : test::odd_shapes)
    if (shape.rank() > 0) test::gradcheck(softmax, {test::normal(shape)});
}

TEST_CASE("softmax: by hand") {
  // e^0 : e^log 2 : e^log 5 = 1 : 2 : 5
  const Tensor x({1, 3}, std::array<Real, 3>{0, Real(std::log(2.0)), Real(std::log(5.0))});
  test::check_close(op::softmax(Var(x)).value(),
                    Tensor({1, 3}, std::array<Real, 3>{0.125, 0.25, 0.625}), 1e-6, 0);
}

TEST_CASE("softmax: large numbers neither overflow nor vanish") {
  const Tensor x({2, 2}, std::array<Real, 4>{10000, 10000, -10000, -10000});
  CHECK(test::numbers(op::softmax(Var(x)).value()) == std::vector<Real>{0.5, 0.5, 0.5, 0.5});
}

TEST_CASE("softmax: one class is certain") {
  CHECK(test::numbers(op::softmax(Var(test::normal({3, 1}))).value()) ==
        std::vector<Real>{1, 1, 1});
}

TEST_CASE("softmax: as PyTorch") { test::as_pytorch("softmax/all", softmax); }

TEST_CASE("softmax: same bits for any number of threads") {
  test::same_bits_for_any_threads(softmax, {test::normal({3001, 11})});
}

TEST_CASE("softmax: nothing to choose from is refused") {
  CHECK_THROWS_WITH_AS(
      op::softmax(Var(Tensor::scalar(1))),
      "[softmax] nothing to choose from: got x []; expected x[..., classes], classes > 0", Error);
  CHECK_THROWS_AS(op::softmax(Var(Tensor(Shape{3, 0}))), Error);
}

}  // namespace fraqat::softmax_test
