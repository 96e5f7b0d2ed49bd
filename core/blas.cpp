#include "core/blas.hpp"

#include <cblas.h>

#include <algorithm>

#include "core/parallel.hpp"

namespace fraqat::inline FRAQAT_PRECISION::blas {
namespace {

// Part of the numeric contract: other tiles, other last bits.
constexpr Index tile_rows = 64;
constexpr Index tile_columns = 512;

CBLAS_TRANSPOSE cblas(Op op) { return op == Op::none ? CblasNoTrans : CblasTrans; }

void single_gemm(Op a_op, Op b_op, Index m, Index n, Index k, Real alpha, const Real* a, Index lda,
                 const Real* b, Index ldb, Real beta, Real* c, Index ldc) {
  const auto i = [](Index v) { return static_cast<blasint>(v); };
#ifdef FRAQAT_DOUBLE
  cblas_dgemm(CblasRowMajor, cblas(a_op), cblas(b_op), i(m), i(n), i(k), alpha, a, i(lda), b,
              i(ldb), beta, c, i(ldc));
#else
  cblas_sgemm(CblasRowMajor, cblas(a_op), cblas(b_op), i(m), i(n), i(k), alpha, a, i(lda), b,
              i(ldb), beta, c, i(ldc));
#endif
}

}  // namespace

void gemm(Op a_op, Op b_op, Index m, Index n, Index k, Real alpha, const Real* a, Index lda,
          const Real* b, Index ldb, Real beta, Real* c, Index ldc) {
  if (m == 0 || n == 0) return;
  if (in_parallel()) return single_gemm(a_op, b_op, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  const Index row_tiles = (m + tile_rows - 1) / tile_rows;
  const Index column_tiles = (n + tile_columns - 1) / tile_columns;
  parallel_for(row_tiles * column_tiles, [&](Index tile) {
    const Index row = tile / column_tiles * tile_rows;
    const Index column = tile % column_tiles * tile_columns;
    single_gemm(a_op, b_op, std::min(tile_rows, m - row), std::min(tile_columns, n - column), k,
                alpha, a + (a_op == Op::none ? row * lda : row), lda,
                b + (b_op == Op::none ? column : column * ldb), ldb, beta, c + row * ldc + column,
                ldc);
  });
}

std::string description() {
  return std::string(openblas_get_config()) + ", core " + openblas_get_corename();
}

bool uses_openmp() { return openblas_get_parallel() == OPENBLAS_OPENMP; }

}  // namespace fraqat::inline FRAQAT_PRECISION::blas
