// Rows of e^x, as softmax needs them.
//
//   e^x = 2^n e^r,  n = round(x / log 2),  r = x - n log 2,  |r| <= log(2) / 2
//
// and e^r is its Taylor series: after r^7 the rest is 5e-9 of it, after r^13 4e-18.

#include "core/kernels/vector.hpp"

namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS {
namespace {

constexpr bool single = sizeof(Real) == sizeof(float);

template <bool single>
struct Parts {  // of a number of Real's format
  using Whole = int;
  static constexpr int mantissa = 23, bias = 127, terms = 7;
};
template <>
struct Parts<false> {
  using Whole = long long;
  static constexpr int mantissa = 52, bias = 1023, terms = 13;
};
using Format = Parts<single>;
typedef Format::Whole Whole __attribute__((vector_size(vector_bytes)));

constexpr Real per_log2 = Real(1.44269504088896340736);
// log 2 in two parts: the first has so few digits that n times it is exact.
constexpr Real log2_first = single ? Real(0.693359375) : Real(0.693145751953125);
constexpr Real log2_rest =
    Real(0.69314718055994530942 - (single ? 0.693359375 : 0.693145751953125));
// Below this the result is 0; at it, the smallest normal number or a little more.
constexpr Real lowest = single ? Real(-87.3) : Real(-708.3);

[[gnu::always_inline]] inline Vector series(Vector r) {
  Vector sum = broadcast(1);
  for (int k = Format::terms; k > 0; --k) sum = 1 + sum * (r / Real(k));
  return sum;
}

/// e^x for x up to 0; a NaN stays one.
[[gnu::always_inline]] inline Vector exponential(Vector x) {
  const Vector bounded = x < lowest ? broadcast(lowest) : x;
  const Vector shifted = bounded * per_log2 + shift, n = shifted - shift;
  const Vector r = (bounded - n * log2_first) - n * log2_rest;
  const Whole exponent = (Whole)shifted - (Whole)broadcast(shift) + Format::bias;
  const Vector power = (Vector)(exponent << Format::mantissa);
  return x < lowest ? Vector{} : series(r) * power;
}

// Fewer than L numbers, and `rest` behind them.
[[gnu::always_inline]] inline Vector load_some(const Real* from, Index n, Real rest) {
  Vector v = broadcast(rest);
  for (Index i = 0; i < n; ++i) v[i] = from[i];
  return v;
}

}  // namespace

Real exponentials_largest(const Real* x, Index n) {
  Vector best = broadcast(x[0]);
  Index i = 0;
  for (; i + L <= n; i += L) {
    const Vector v = load(x + i);
    best = v > best ? v : best;
  }
  const Vector v = load_some(x + i, n - i, x[0]);
  best = v > best ? v : best;
  Real top = best[0];
  for (Index lane = 1; lane < L; ++lane) top = best[lane] > top ? best[lane] : top;
  return top;
}

Real exponentials_of_row(const Real* x, Real top, Real* y, Index n) {
  Vector sums{};
  Index i = 0;
  for (; i + L <= n; i += L) {
    const Vector e = exponential(load(x + i) - top);
    store(y + i, e);
    sums += e;
  }
  if (i < n) {
    const Vector e = exponential(load_some(x + i, n - i, top) - top);
    for (Index k = 0; k < n - i; ++k) sums[k] += y[i + k] = e[k];
  }
  for (Index width = L / 2; width > 0; width /= 2)
    for (Index lane = 0; lane < width; ++lane) sums[lane] += sums[lane + width];
  return sums[0];
}

}  // namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS
