#pragma once

#include "core/kernels/vector.hpp"

// Between NHWC and samples in lanes.
namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS {

[[gnu::always_inline]] inline void clear(Real* to, Index size) {
  for (Index i = 0; i < size; ++i) to[i] = 0;
}

/// packed[i][lane] = x[lane * stride + i] for i < size and lane < count; zero in
/// the lanes beyond.
inline void pack(Index count, const Real* x, Index stride, Index size, Real* packed) {
  for (Index next = 0; size >= L && next < size; next += L) {
    const Index i = at_most(next, size - L);  // the last block may overlap the one before
    Vector rows[L];
    for (Index lane = 0; lane < L; ++lane)
      rows[lane] = lane < count ? load(x + lane * stride + i) : Vector{};
    transpose(rows);
    for (Index k = 0; k < L; ++k) store(packed + (i + k) * L, rows[k]);
  }
  for (Index i = 0; size < L && i < size; ++i)
    for (Index lane = 0; lane < L; ++lane)
      packed[i * L + lane] = lane < count ? x[lane * stride + i] : 0;
}

/// The way back; lanes from `count` on are dropped.
inline void unpack(Index count, const Real* packed, Index size, Real* y, Index stride) {
  for (Index next = 0; size >= L && next < size; next += L) {
    const Index i = at_most(next, size - L);
    Vector rows[L];
    for (Index k = 0; k < L; ++k) rows[k] = load(packed + (i + k) * L);
    transpose(rows);
    for (Index lane = 0; lane < count; ++lane) store(y + lane * stride + i, rows[lane]);
  }
  for (Index i = 0; size < L && i < size; ++i)
    for (Index lane = 0; lane < count; ++lane) y[lane * stride + i] = packed[i * L + lane];
}

/// to[i * stride] = (or, with `add`, +=) the sum over lanes of packed[i][lane], in a fixed order.
inline void write_lane_sums(const Real* packed, Index size, bool add, Real* to, Index stride) {
  for (Index i = 0; i < size; ++i) {
    Real sum = 0;
    for (Index lane = 0; lane < L; ++lane) sum += packed[i * L + lane];
    to[i * stride] = add ? to[i * stride] + sum : sum;
  }
}

}  // namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS
