#pragma once

#include <cmath>
#include <string_view>

#include "core/tensor.hpp"

namespace fraqat::inline FRAQAT_PRECISION {

/// Every number is whole and in [0, count), or an Error of [who] that calls the
/// number a `what`.
inline void check_indices(std::string_view who, std::string_view what, const Tensor& numbers,
                          Index count) {
  for (Index i = 0; i < numbers.size(); ++i) {
    const Real v = numbers[i];
    check(v >= 0 && v < Real(count) && v == std::floor(v), "[", who, "] impossible ", what,
          " at index ", i, ": got ", v, "; expected a whole number in [0, ", count, ")");
  }
}

}  // namespace fraqat::inline FRAQAT_PRECISION
