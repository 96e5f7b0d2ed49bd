// Rounding to a grid of levels, forward and backward: fake quantization's inner
// loops.  Written plainly; the compiler finds the vectors.

#include "core/kernels/vector.hpp"

namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS {
namespace {

// Independent sums, joined in a fixed tree, so that they vectorise: the same
// number on every instruction set, hence the same order.
constexpr Index sums = 16;

// Adding it rounds to whole numbers, ties to even, below a quarter of it.
constexpr Real shift = sizeof(Real) == 4 ? Real(0x1.8p23) : Real(0x1.8p52);

[[gnu::always_inline]] inline Real code_of(Real u, Real lo, Real hi) {
  const Real above = u > lo ? u : lo;
  return ((above < hi ? above : hi) + shift) - shift;
}

[[gnu::always_inline]] inline Real tree(Real (&lane)[sums]) {
  for (Index width = sums / 2; width; width /= 2)
    for (Index i = 0; i < width; ++i) lane[i] += lane[i + width];
  return lane[0];
}

template <bool with_dx, bool add>
void backward(const Level& level, const Real* __restrict__ x, const Real* __restrict__ dy,
              Real* __restrict__ dx, Index n, LevelSums& result) {
  const Real scale = level.scale, lo = level.lo, hi = level.hi, weight = level.weight;
  Real value[sums] = {}, slope[sums] = {};
  const auto one = [&](Index i, Index lane) __attribute__((always_inline)) {
    const Real u = x[i] / scale;
    const Real code = code_of(u, lo, hi);
    const bool inside = u >= lo && u <= hi;
    value[lane] += dy[i] * code;
    slope[lane] += dy[i] * (code - (inside ? u : Real(0)));
    if constexpr (with_dx) {
      const Real g = inside ? weight * dy[i] : Real(0);
      dx[i] = add ? dx[i] + g : g;
    }
  };
  Index i = 0;
  for (; i + sums <= n; i += sums)
    for (Index lane = 0; lane < sums; ++lane) one(i + lane, lane);
  for (Index lane = 0; i < n; ++i, ++lane) one(i, lane);
  result = {tree(value) * scale, tree(slope) * weight};
}

}  // namespace

void levels_forward(const Level& level, bool add, const Real* __restrict__ x, Real* __restrict__ y,
                    Index n) {
  const Real scale = level.scale, lo = level.lo, hi = level.hi, weight = level.weight;
  if (add)
    for (Index i = 0; i < n; ++i) y[i] += weight * (scale * code_of(x[i] / scale, lo, hi));
  else if (weight == 1)
    for (Index i = 0; i < n; ++i) y[i] = scale * code_of(x[i] / scale, lo, hi);
  else
    for (Index i = 0; i < n; ++i) y[i] = weight * (scale * code_of(x[i] / scale, lo, hi));
}

void levels_backward(const Level& level, bool add, const Real* x, const Real* dy, Real* dx, Index n,
                     LevelSums& result) {
  if (!dx)
    backward<false, false>(level, x, dy, dx, n, result);
  else if (add)
    backward<true, true>(level, x, dy, dx, n, result);
  else
    backward<true, false>(level, x, dy, dx, n, result);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS
