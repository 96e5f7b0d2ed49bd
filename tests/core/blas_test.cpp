#include "core/blas.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/parallel.hpp"
#include "core/random.hpp"

namespace fraqat::blas_test {
namespace {

using Numbers = std::vector<Real>;

Numbers random_numbers(Index size, std::uint64_t seed) {
  Tensor t(Shape{size});
  fill_normal(t, Philox(seed, Stream::synthetic));
  return {t.data(), t.data() + size};
}

struct Case {
  blas::Op a_op, b_op;
  Index m, n, k;
};

Index length(blas::Op op, Index rows, Index columns) {
  return op == blas::Op::none ? columns : rows;
}

Numbers product(const Case& c, const Numbers& a, const Numbers& b, Real beta, Numbers result) {
  blas::gemm(c.a_op, c.b_op, c.m, c.n, c.k, Real(0.5), a.data(), length(c.a_op, c.m, c.k), b.data(),
             length(c.b_op, c.k, c.n), beta, result.data(), c.n);
  return result;
}

double naive(const Case& c, const Numbers& a, const Numbers& b, Index i, Index j) {
  double sum = 0;
  for (Index k = 0; k < c.k; ++k) {
    const Index at = c.a_op == blas::Op::none ? i * c.k + k : k * c.m + i;
    const Index bt = c.b_op == blas::Op::none ? k * c.n + j : j * c.k + k;
    sum += double(a[static_cast<std::size_t>(at)]) * double(b[static_cast<std::size_t>(bt)]);
  }
  return sum / 2;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto a : {blas::Op::none, blas::Op::transpose})
    for (const auto b : {blas::Op::none, blas::Op::transpose}) {
      all.push_back({a, b, 1, 1, 1});
      all.push_back({a, b, 65, 513, 3});
      all.push_back({a, b, 128, 64, 784});  // its bits change with the threads of a plain BLAS
    }
  return all;
}

}  // namespace

TEST_CASE("gemm is the naive loop, in every form") {
  for (const Case& c : cases()) {
    const Numbers a = random_numbers(c.m * c.k, 1), b = random_numbers(c.k * c.n, 2);
    const Numbers old = random_numbers(c.m * c.n, 3);
    const Numbers nothing(old.size(), std::numeric_limits<Real>::quiet_NaN());
    const Numbers over = product(c, a, b, 0, nothing), added = product(c, a, b, 1, old);
    double worst = 0;
    for (Index i = 0; i < c.m; ++i)
      for (Index j = 0; j < c.n; ++j) {
        const auto at = static_cast<std::size_t>(i * c.n + j);
        const double expected = naive(c, a, b, i, j);
        worst = std::max({worst, std::abs(double(over[at]) - expected),
                          std::abs(double(added[at]) - expected - double(old[at]))});
        REQUIRE(std::isfinite(over[at]));  // beta = 0 does not read C
      }
    INFO(c.m, " x ", c.n, " x ", c.k);
    CHECK(worst < 1e-6 * double(c.k) + 1e-5);
  }
}

TEST_CASE("gemm gives the same bits for 1, 2, 3 and 4 threads and inside a parallel loop") {
  const int before = thread_count();
  for (const Case& c : cases()) {
    const Numbers a = random_numbers(c.m * c.k, 1), b = random_numbers(c.k * c.n, 2);
    const Numbers empty(static_cast<std::size_t>(c.m * c.n));
    set_thread_count(1);
    const Numbers one = product(c, a, b, 0, empty);
    for (const int threads : {2, 3, 4}) {
      set_thread_count(threads);
      const Numbers many = product(c, a, b, 0, empty);
      INFO(c.m, " x ", c.n, " x ", c.k, ", ", threads, " threads");
      CHECK(std::memcmp(one.data(), many.data(), one.size() * sizeof(Real)) == 0);
    }
  }
  set_thread_count(before);
}

}  // namespace fraqat::blas_test
