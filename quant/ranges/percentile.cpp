#include <algorithm>
#include <cmath>

#include "quant/ranges/cover.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

/// The least of x that `share` of them are not above; reorders x.
Real quantile(std::vector<Real>& x, double share) {
  const auto count = static_cast<double>(x.size());
  const double above = std::clamp(std::ceil(share * count - 1e-9), 1.0, count);
  const auto at = x.begin() + static_cast<std::ptrdiff_t>(above) - 1;
  std::nth_element(x.begin(), at, x.end());
  return *at;
}

}  // namespace

Affine inner_percentile(std::span<const Real> x, Grid grid, const RangeOptions& options) {
  std::vector<Real> numbers(x.begin(), x.end());
  const double share = options.percentile / 100;
  const Span whole = span_of(x);
  Span span;
  if (options.affine) {
    const double outside = (1 - share) / 2;
    span.high = std::max(quantile(numbers, 1 - outside), Real(0));
    std::transform(numbers.begin(), numbers.end(), numbers.begin(), [](Real v) { return -v; });
    span.low = -std::max(quantile(numbers, 1 - outside), Real(0));
  } else {
    for (Real& v : numbers) v = std::abs(v);
    const Real end = quantile(numbers, share);
    span = {std::max(whole.low, -end), std::min(whole.high, end)};
  }
  // Where nearly all are 0, what is left is all there is to cover.
  if (span.low == span.high) span = whole;
  return cover(span, grid, options.affine);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
