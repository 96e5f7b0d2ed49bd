#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "quant/bits_level.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// Every bit policy by the name that recipes use.
const std::vector<std::string>& bit_policies();

/// The bit policy `name` at the width `start`, and the range that goes with it: `range`
/// itself but with level-step, which brings one of its own.  An Error lists the names.
Policies make_policies(std::string_view name, double start, const RangeOptions& options,
                       std::unique_ptr<RangePolicy> range);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
