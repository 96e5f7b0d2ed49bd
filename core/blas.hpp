#pragma once

#include <string>

#include "core/real.hpp"

namespace fraqat::inline FRAQAT_PRECISION::blas {

enum class Op { none, transpose };

/// C = alpha op(A) op(B) + beta C, row-major; op(A) is [m, k], op(B) is [k, n].
/// lda, ldb and ldc are the row lengths of the matrices as stored.
///
/// The only call of BLAS in the project.  Outside a parallel loop C is cut into
/// tiles that depend on m and n only, one single-threaded product each; inside
/// one, the calling task is the tile.  beta = 0 overwrites C without reading it.
void gemm(Op a_op, Op b_op, Index m, Index n, Index k, Real alpha, const Real* a, Index lda,
          const Real* b, Index ldb, Real beta, Real* c, Index ldc);

/// The library and the kernels it picked for this processor, as it says itself.
std::string description();

/// True for the OpenMP flavour, the one that gemm's promise is made for.
bool uses_openmp();

}  // namespace fraqat::inline FRAQAT_PRECISION::blas
