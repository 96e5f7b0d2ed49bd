#include "tests/support/reduction.hpp"

namespace fraqat::var_test {
namespace {

double squares(const std::vector<double>& x) {
  double mean = 0, sum = 0;
  for (const double v : x) mean += v / double(x.size());
  for (const double v : x) sum += (v - mean) * (v - mean);
  return sum;
}

// Biased: the patterns have sums of one element, too.
const test::Reducing subject{
    .f = [](const Var& x, const Axes& axes,
            bool keepdim) { return op::var(x, axes, {.unbiased = false, .keepdim = keepdim}); },
    .naive = [](const std::vector<double>& x) { return squares(x) / double(x.size()); },
};

Var unbiased(std::span<const Var> x) { return op::var(x[0], {1}); }

}  // namespace

TEST_CASE("var: values, gradients, threads, errors over axes") {
  test::check_reduction("var", subject);
}

TEST_CASE("var: as PyTorch") {
  test::reduction_as_pytorch("var", subject);
  test::as_pytorch("var/unbiased", unbiased);
}

TEST_CASE("var: unbiased unless told otherwise") {
  Tape tape;
  const Var x(Tensor({2, 3}, std::array<Real, 6>{1, 2, 6, 4, 4, 4}), true);
  const Var y = op::var(x, {1});
  CHECK(test::numbers(y.value()) == std::vector<Real>{7, 0});  // (4 + 1 + 9) / 2
  tape.backward(op::sum(y));
  CHECK(test::numbers(x.grad()) == std::vector<Real>{-2, -1, 3, 0, 0, 0});  // 2 (x - 3) / 2
  test::gradcheck(unbiased, {test::normal({3, 17})});
}

TEST_CASE("var: a large mean does not eat a small variance") {
  Tensor x({1000});
  for (Index i = 0; i < 1000; ++i) x[i] = Real(4096 + (i % 2));
  CHECK(op::var(Var(x), {}, {.unbiased = false}).value().item() == Real(0.25));
}

TEST_CASE("var: one element has no unbiased variance") {
  CHECK_THROWS_WITH_AS(
      op::var(Var(Tensor({3, 1}, Real(0))), {1}),
      "[var] too few elements: got 1 of shape [3, 1]; expected at least 2, or biased", Error);
}

}  // namespace fraqat::var_test
