#include <numeric>

#include "tests/support/reduction.hpp"

namespace fraqat::mean_test {
namespace {

const test::Reducing subject{
    .f = [](const Var& x, const Axes& axes, bool keepdim) { return op::mean(x, axes, keepdim); },
    .naive =
        [](const std::vector<double>& x) {
          return std::accumulate(x.begin(), x.end(), 0.0) / double(x.size());
        },
};

}  // namespace

TEST_CASE("mean: values, gradients, threads, errors over axes") {
  test::check_reduction("mean", subject);
}

TEST_CASE("mean: as PyTorch") { test::reduction_as_pytorch("mean", subject); }

TEST_CASE("mean: by hand") {
  Tape tape;
  const Var x(Tensor({2, 2}, std::array<Real, 4>{1, 2, 3, 6}), true);
  const Var y = op::mean(x);
  CHECK(y.shape() == Shape{});
  CHECK(y.value().item() == 3);
  tape.backward(y);
  CHECK(test::numbers(x.grad()) == std::vector<Real>{0.25, 0.25, 0.25, 0.25});
}

TEST_CASE("mean: nothing has no mean") {
  CHECK_THROWS_WITH_AS(op::mean(Var(Tensor(Shape{0, 3}))),
                       "[mean] an empty tensor: got [0, 3]; expected extents of 1 or more", Error);
}

}  // namespace fraqat::mean_test
