#pragma once

#include <memory>

#include "quant/range.hpp"

/// Policies with a real number of levels in training besides DirectBits.
namespace fraqat::inline FRAQAT_PRECISION::quant {

/// b is given from outside, by limit(), and only falls: the curriculum.
std::unique_ptr<BitPolicy> scheduled_bits(const Widths& widths, double initial);

struct Policies {
  std::unique_ptr<BitPolicy> bits;
  std::unique_ptr<RangePolicy> range;
};

/// Step and range (DQ, Uhlich et al., 2020): log d and log xmax are parameters, d of
/// the bits, xmax of a range that comes with them, one for all widths; b follows,
///
///   b = log2(xmax / d + 1) + 1      (natural: no + 1 behind).
///
/// `calibrated` says where xmax starts, at `initial` bits, and what part of it each
/// row has, and the zero-point, for good; it is not used beyond that.
Policies step_and_range(const RangeOptions& options, double initial,
                        std::unique_ptr<RangePolicy> calibrated);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
