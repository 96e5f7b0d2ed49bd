#pragma once

#include <cstdint>

/// Everything that computes with `Real` lives in an inline namespace named
/// after its precision, so that the float library and the double library of
/// the gradient checks can never be linked together by accident.
#ifdef FRAQAT_DOUBLE
#define FRAQAT_PRECISION f64
#else
#define FRAQAT_PRECISION f32
#endif

namespace fraqat::inline FRAQAT_PRECISION {

#ifdef FRAQAT_DOUBLE
using Real = double;
#else
using Real = float;
#endif

}  // namespace fraqat::inline FRAQAT_PRECISION

namespace fraqat {

/// Sizes, positions and counts of elements.  Signed: differences are common.
using Index = std::int64_t;

}  // namespace fraqat
