#pragma once

#include <cmath>

#include "core/real.hpp"

namespace fraqat::inline FRAQAT_PRECISION {

/// 1 / (1 + e^-x) without overflow: e to the power of -|x| alone.
inline Real logistic(Real x) {
  const Real e = std::exp(-std::abs(x));
  return (x < 0 ? e : Real(1)) / (1 + e);
}

}  // namespace fraqat::inline FRAQAT_PRECISION
