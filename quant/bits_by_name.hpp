#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "quant/bits_level.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// Every bit policy by the name that recipes use.
const std::vector<std::string>& bit_policies();

/// False for policies that have one width for all rows of a tensor: `fixed`, `level-step`
/// and `schedule`.
bool has_row_widths(std::string_view name);

/// The bit policy `name` at the width `start`, and the range that goes with it: `range`
/// itself but with level-step, which brings one of its own.  An Error lists the names.
/// With several starts, every row has a width of its own.
Policies make_policies(std::string_view name, const std::vector<double>& start,
                       const RangeOptions& options, std::unique_ptr<RangePolicy> range);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
