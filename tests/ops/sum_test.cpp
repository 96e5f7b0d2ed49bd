#include <numeric>

#include "tests/support/reduction.hpp"

namespace fraqat::sum_test {
namespace {

const test::Reducing subject{
    .f = [](const Var& x, const Axes& axes, bool keepdim) { return op::sum(x, axes, keepdim); },
    .naive = [](const std::vector<double>& x) { return std::accumulate(x.begin(), x.end(), 0.0); },
    .float_error = 1e-3,  // of 185'777 numbers, whose sum is near 0 by chance
};

}  // namespace

TEST_CASE("sum: values, gradients, threads, errors over axes") {
  test::check_reduction("sum", subject);
}

TEST_CASE("sum: as PyTorch") { test::reduction_as_pytorch("sum", subject); }

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

}  // namespace fraqat::sum_test
