#pragma once

#include "core/random.hpp"
#include "quant/rounding.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// A width for every item, drawn evenly from all assignments of allowed widths
/// that take at most `limit` bits and, where there are such, at least 99 % of it; what
/// the items learned plays no part.  The yardstick of a learned assignment: it
/// should beat the mean of a few of these.
///
/// Costs are counted in cells of 1/8192 of the limit, rounded up, so the limit is
/// never exceeded.  Of many items that rounding may be several per cent: what is then left of
/// the 99 % goes to items in a drawn order, a width up each.  An Error tells if the limit is
/// below the least there is.
std::vector<Width> random_assignment(const std::vector<RoundingItem>& items, Index limit,
                                     const Philox& random);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
