#pragma once

#include <algorithm>
#include <cmath>

#include "core/real.hpp"

namespace fraqat::inline FRAQAT_PRECISION {

/// p[i] = e^z[i] / sum over j of e^z[j], for one row of a loss, which has a few classes;
/// returns the logarithm of that sum.  The largest z is taken out first, so nothing overflows.
/// With the C library's e^x, which is the same on every instruction set.
inline Real softmax_row(const Real* z, Real* p, Index size) {
  const Real top = *std::max_element(z, z + size);
  Real sum = 0;
  for (Index i = 0; i < size; ++i) sum += p[i] = std::exp(z[i] - top);
  for (Index i = 0; i < size; ++i) p[i] /= sum;
  return top + std::log(sum);
}

}  // namespace fraqat::inline FRAQAT_PRECISION
