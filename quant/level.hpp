#pragma once

#include <cmath>
#include <numbers>

#include "quant/grid.hpp"

/// Grids of a real bit-width b: the number of levels need not be a power of two.
namespace fraqat::inline FRAQAT_PRECISION::quant {

/// n(b), the steps from 0 to the end of the range: 2^(b-1) - 1, natural 2^b - 1.
inline double level_steps(Coding coding, double bits) {
  return std::exp2(coding == Coding::natural ? bits : bits - 1) - 1;
}

/// dn / db
inline double level_slope(Coding coding, double bits) {
  return std::numbers::ln2 * (level_steps(coding, bits) + 1);
}

/// The whole steps that fit: codes beyond the ends are never used, although the
/// end itself may round to one (5.5 bits: 21.6 steps, 21 codes).  A b that stands for
/// a whole number of levels, as 1 + log2(11), has them whatever its rounding.
inline Grid level_grid(Coding coding, double bits) {
  const auto whole = static_cast<std::int32_t>(std::floor(level_steps(coding, bits) + 1e-4));
  if (coding == Coding::symmetric) return {-whole, whole};
  if (coding == Coding::twos) return {-whole - 1, whole};
  return {0, whole};
}

/// The candidates around b; a width met exactly has itself below, the last one above: widths[below]
/// + way (widths[above()] - widths[below]).
struct Neighbours {
  int below = 0, last = 0;
  double way = 0, bits = 0;  // way in [0, 1]; b, put into the bounds

  int above() const { return below < last ? below + 1 : below; }
};

inline Neighbours neighbours(const Widths& widths, double bits) {
  Neighbours n;
  n.last = widths.count() - 1;
  n.bits = bits > widths.lowest() ? (bits < widths.highest() ? bits : widths.highest())
                                  : widths.lowest();
  while (n.below + 2 <= n.last && widths[n.below + 1] <= n.bits) ++n.below;
  const int gap = widths[n.above()] - widths[n.below];
  n.way = gap ? (n.bits - widths[n.below]) / gap : 0;
  return n;
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
