// Rounding to a grid of levels, forward and backward: fake quantization's inner
// loops.

#include "core/kernels/vector.hpp"

namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS {
namespace {

// Independent sums, joined in a fixed tree: the same number on every instruction
// set, hence the same order.
constexpr Index sums = 16;

enum class Kind { plain, binary, relu };

/// What is divided by the scale.
template <Kind kind, class V>
[[gnu::always_inline]] inline V number_of(V x) {
  if constexpr (kind == Kind::relu) return x <= V{} ? V{} : x;
  return x;
}

template <Kind kind, class V>
[[gnu::always_inline]] inline V code_of(V u, V lo, V hi) {
  if constexpr (kind == Kind::binary) return u < V{} ? lo : hi;
  const V above = u > lo ? u : lo;
  return ((above < hi ? above : hi) + shift) - shift;
}

[[gnu::always_inline]] inline Real tree(Real (&lane)[sums]) {
  for (Index width = sums / 2; width; width /= 2)
    for (Index i = 0; i < width; ++i) lane[i] += lane[i + width];
  return lane[0];
}

// Numbers that are being summed, lane by lane.
struct Lanes {
  Real value[sums] = {}, slope[sums] = {}, clipped[sums] = {};
};

// What as many numbers as V has lanes add to their sums, and their dx.
template <Kind kind, bool with_dx, bool add, class V>
[[gnu::always_inline]] inline void backward_of(const Level& level, const Real* x, const Real* dy,
                                               Real* dx, Lanes& lanes, Index lane) {
  Real *value = lanes.value + lane, *slope = lanes.slope + lane, *clipped = lanes.clipped + lane;
  const V lo = V{} + level.lo, hi = V{} + level.hi;
  const V number = read<V>(x), u = number_of<kind>(number) / level.scale, d = read<V>(dy);
  const V code = code_of<kind>(u, lo, hi);
  const V kept = u >= lo ? (u <= hi ? d : V{}) : V{};  // dy where x is inside
  const V part = u >= lo ? (u <= hi ? u : V{}) : V{};
  write<V>(value, read<V>(value) + d * code);
  write<V>(slope, read<V>(slope) + d * (code - part));
  write<V>(clipped, read<V>(clipped) + (d - kept));
  if constexpr (with_dx) {
    V passed = kept;
    if constexpr (kind == Kind::relu) passed = number > V{} ? kept : V{};
    const V g = level.weight * passed;
    write<V>(dx, add ? read<V>(dx) + g : g);
  }
}

// The level is a copy, which dx cannot be a part of: it stays in registers.
template <Kind kind, bool with_dx, bool add>
void backward(const Level level, const Real* x, const Real* dy, Real* dx, Index n,
              LevelSums& result) {
  Lanes lanes;
  Index i = 0;
  for (; i + sums <= n; i += sums)
    for (Index w = 0; w < sums; w += L)
      backward_of<kind, with_dx, add, Vector>(level, x + i + w, dy + i + w,
                                              with_dx ? dx + i + w : dx, lanes, w);
  for (Index lane = 0; i < n; ++i, ++lane)
    backward_of<kind, with_dx, add, Real>(level, x + i, dy + i, with_dx ? dx + i : dx, lanes, lane);
  result = {tree(lanes.value) * level.scale, tree(lanes.slope) * level.weight,
            -tree(lanes.clipped) * level.scale * level.weight};
}

template <Kind kind>
void forward(const Level& level, bool add, const Real* __restrict__ x, Real* __restrict__ y,
             Index n) {
  const Real scale = level.scale, lo = level.lo, hi = level.hi, weight = level.weight;
  const auto value = [=](Real v) {
    return scale * code_of<kind>(number_of<kind>(v) / scale, lo, hi);
  };
  if (add)
    for (Index i = 0; i < n; ++i) y[i] += weight * value(x[i]);
  else if (weight == 1)
    for (Index i = 0; i < n; ++i) y[i] = value(x[i]);
  else
    for (Index i = 0; i < n; ++i) y[i] = weight * value(x[i]);
}

template <Kind kind>
void backward(const Level& level, bool add, const Real* x, const Real* dy, Real* dx, Index n,
              LevelSums& result) {
  if (!dx)
    backward<kind, false, false>(level, x, dy, dx, n, result);
  else if (add)
    backward<kind, true, true>(level, x, dy, dx, n, result);
  else
    backward<kind, true, false>(level, x, dy, dx, n, result);
}

/// f(kind), an integral constant.
template <class F>
void with_kind(const Level& level, const F& f) {
  if (level.binary) return f(std::integral_constant<Kind, Kind::binary>());
  if (level.relu) return f(std::integral_constant<Kind, Kind::relu>());
  f(std::integral_constant<Kind, Kind::plain>());
}

}  // namespace

void levels_forward(const Level& level, bool add, const Real* x, Real* y, Index n) {
  with_kind(level, [&](auto kind) { forward<kind()>(level, add, x, y, n); });
}

void levels_backward(const Level& level, bool add, const Real* x, const Real* dy, Real* dx, Index n,
                     LevelSums& result) {
  with_kind(level, [&](auto kind) { backward<kind()>(level, add, x, dy, dx, n, result); });
}

}  // namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS
