#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quant/bits.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// Every bit policy by the name that recipes use.
const std::vector<std::string>& bit_policies();

/// The policy `name` over `widths`, at the width `start`; an Error lists the names.
std::unique_ptr<BitPolicy> make_bits(std::string_view name, const Widths& widths, double start);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
