#pragma once

#include <cmath>
#include <limits>
#include <string_view>

#include "core/tensor.hpp"

namespace fraqat::inline FRAQAT_PRECISION {

/// Every number is whole and in [0, count), or an Error of [who] that calls the
/// number a `what`.  Indices are Reals: with more than 2^24 of them (float) some
/// have no number of their own, and would silently mean their neighbour.
inline void check_indices(std::string_view who, std::string_view what, const Tensor& numbers,
                          Index count) {
  constexpr Index exact = Index(1) << std::numeric_limits<Real>::digits;
  check(count <= exact, "[", who, "] too many for an index that is a Real: got ", count, ' ', what,
        "s; expected at most ", exact, "; try several smaller tables");
  for (Index i = 0; i < numbers.size(); ++i) {
    const Real v = numbers[i];
    check(v >= 0 && v < Real(count) && v == std::floor(v), "[", who, "] impossible ", what,
          " at index ", i, ": got ", v, "; expected a whole number in [0, ", count, ")");
  }
}

}  // namespace fraqat::inline FRAQAT_PRECISION
