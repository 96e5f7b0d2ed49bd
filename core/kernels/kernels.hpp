#pragma once

#include "core/isa.hpp"
#include "core/real.hpp"

namespace fraqat {

/// The sizes of one convolution:
///   x[N, H, W, C], weight[O, R, S, C / groups], y[N, P, Q, O],
/// with `top` rows of zeros above x and `left` columns before it; how many follow
/// below and behind is what P and Q need.
/// Plain data: what is compiled for one instruction set must not share inline
/// functions with what is compiled for another.
struct ConvolutionShape {
  Index N, H, W, C, O, R, S, P, Q;
  Index stride, top, left, dilation, groups;
};

/// One row of windows of kernel x kernel pixels that touch: Q of them over
/// `kernel` rows of an image [.., W, C], W >= Q kernel.
struct PoolRow {
  Index kernel, W, C, Q;
};

}  // namespace fraqat

/// The inner loops that are compiled once per instruction set.  They run on one
/// thread, allocate nothing and write nothing but their results and `scratch`,
/// which is at least as long as the function beside them says, uninitialised
/// and 64-byte aligned.  No dilation and no groups.
namespace fraqat::inline FRAQAT_PRECISION::kernels {

/// The codes c = clamp(rne(x / scale), lo, hi) (|lo|, |hi| < 2^20, whole), which
/// stand for scale c, and the weight of this grid among others.
struct Level {
  Real scale, lo, hi, weight;
};

struct LevelSums {
  Real value;  // sum dy scale c
  Real slope;  // weight sum dy (c - x / scale where lo <= x / scale <= hi)
};

struct Table {
  /// Samples in lanes: `count` <= lanes consecutive samples (x and y point at the
  /// first) are transposed so that each fills one lane of every vector.
  struct Lanes {
    Index lanes;

    /// Numbers of scratch that forward and backward_weights need.
    Index (*scratch)(const ConvolutionShape& c);

    /// y = x * weight + bias.  weight is [R, S, C, O]; bias may be null.
    void (*forward)(const ConvolutionShape& c, Index count, const Real* x, const Real* weight,
                    const Real* bias, Real* y, Real* scratch);

    /// dweight += and dbias += this group's gradient.  dweight is [O, R, S, C].
    void (*backward_weights)(const ConvolutionShape& c, Index count, const Real* x, const Real* dy,
                             Real* dweight, Real* dbias, Real* scratch);
  } lanes;

  /// Max pooling of one row of windows; a NaN wins.
  struct MaxPool {
    /// y[Q, C] from x[kernel, W, C].
    void (*forward)(const PoolRow& row, const Real* x, Real* y);

    /// dx[kernel, W, C]: dy where x is the first of its window to equal y, 0 elsewhere.
    void (*backward)(const PoolRow& row, const Real* x, const Real* y, const Real* dy, Real* dx);
  } max_pool;

  /// Rounding to levels.
  struct Levels {
    /// y = (or, with `add`, +=) weight scale c; exactly scale c for weight 1.
    void (*forward)(const Level& level, bool add, const Real* x, Real* y, Index n);

    /// dx = (or +=) weight dy where lo <= x / scale <= hi, else 0; none if dx is null.
    void (*backward)(const Level& level, bool add, const Real* x, const Real* dy, Real* dx, Index n,
                     LevelSums& sums);
  } levels;
};

/// The table of active_isa().
const Table& active();

/// The table of `isa`, which the processor must support to call what is in it.
const Table& table(Isa isa);

// One per instruction set that is compiled in.
namespace generic {
extern const Table table;
}
namespace avx2 {
extern const Table table;
}
namespace avx512 {
extern const Table table;
}

}  // namespace fraqat::inline FRAQAT_PRECISION::kernels
