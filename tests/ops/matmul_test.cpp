#include "tests/support/op_test.hpp"

using namespace fraqat;

namespace {

Var product(std::span<const Var> x) { return op::matmul(x[0], x[1]); }

Tensor naive(const Tensor& a, const Tensor& b) {
  Tensor y({a.dim(0), b.dim(1)});
  for (Index i = 0; i < a.dim(0); ++i)
    for (Index j = 0; j < b.dim(1); ++j) {
      double sum = 0;
      for (Index k = 0; k < a.dim(1); ++k)
        sum += double(a[i * a.dim(1) + k]) * double(b[k * b.dim(1) + j]);
      y[i * b.dim(1) + j] = Real(sum);
    }
  return y;
}

const std::vector<std::array<Index, 3>> sizes = {{1, 1, 1}, {1, 5, 3}, {7, 1, 2},
                                                 {3, 4, 1}, {5, 7, 9}, {2, 17, 3}};

}  // namespace

TEST_CASE("matmul: gradient") {
  for (const auto& [m, k, n] : sizes)
    test::gradcheck(product, {test::normal({m, k}, 1), test::normal({k, n}, 2)});
}

TEST_CASE("matmul: against the naive loop") {
  for (const auto& [m, k, n] : sizes) {
    const Tensor a = test::normal({m, k}, 1), b = test::normal({k, n}, 2);
    test::check_close(op::matmul(Var(a), Var(b)).value(), naive(a, b), 1e-5, 1e-5);
  }
  const Tensor a = test::normal({130, 65}, 1), b = test::normal({65, 519}, 2);  // several tiles
  test::check_close(op::matmul(Var(a), Var(b)).value(), naive(a, b), 1e-5, 1e-4);
}

TEST_CASE("matmul: a square times itself") {
  test::gradcheck([](std::span<const Var> x) { return op::matmul(x[0], x[0]); },
                  {test::normal({4, 4})});
}

TEST_CASE("matmul: same bits for any number of threads") {
  test::same_bits_for_any_threads(product,
                                  {test::normal({201, 77}, 1), test::normal({77, 533}, 2)});
}

TEST_CASE("matmul: what cannot be multiplied is refused") {
  const Var a(Tensor({2, 3}, Real(0)));
  CHECK_THROWS_WITH_AS(
      op::matmul(a, Var(Tensor({3}, Real(0)))),
      "[matmul] not two matrices: got [2, 3] and [3]; expected a[m, k] and b[k, n]", Error);
  CHECK_THROWS_WITH_AS(
      op::matmul(a, a),
      "[matmul] inner sizes differ: got [2, 3] and [2, 3]; expected a[m, k] and b[k, n]", Error);
}
