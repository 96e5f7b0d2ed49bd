#include "quant/ranges/cover.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

double squared_error(std::span<const Real> x, Affine range, Grid grid) {
  const Real lo = static_cast<Real>(grid.lo) - range.zero;
  const Real hi = static_cast<Real>(grid.hi) - range.zero;
  double sum = 0;
  for (const Real v : x) {
    const Real e = range.scale * centred_code(v, range.scale, lo, hi, grid.step) - v;
    sum += static_cast<double>(e) * static_cast<double>(e);
  }
  return sum;
}

}  // namespace

/// The span, shrunk to the fraction of its size that quantizes x best.  The
/// error is not always unimodal, hence the plain grid.
Affine least_squares(std::span<const Real> x, Grid grid, const RangeOptions& options) {
  const Span whole = span_of(x);
  Affine best = cover(whole, grid, options.affine);
  double least = squared_error(x, best, grid);
  for (int step = 1; step < 40; ++step) {
    const Real f = 1 - static_cast<Real>(step) / 41;
    const Affine range = cover(whole * f, grid, options.affine);
    const double error = squared_error(x, range, grid);
    if (error < least) {
      least = error;
      best = range;
    }
  }
  return best;
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
