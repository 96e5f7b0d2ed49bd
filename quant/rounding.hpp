#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/real.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// From fractional widths to those that hardware has.
enum class Rounding { nearest, ceil, floor, budget };

/// The rounding of that name; an Error lists the names.
Rounding rounding_of(std::string_view name);

struct RoundingItem {
  std::string name;
  double bits = 0;  // the learned width
  Index elements = 0;
  double sensitivity = 1;    // loss per bit near `bits`, on any common scale
  std::vector<int> allowed;  // rising
};

struct Rounded {
  std::vector<int> bits;  // one for each item
  Index cost = 0, limit = 0;
  double used() const { return limit ? static_cast<double>(cost) / static_cast<double>(limit) : 0; }
};

/// Each width by itself: the nearest allowed one (ties go up), the next at or
/// above, or at or below; the end of the allowed set where there is none.
Rounded round_each(const std::vector<RoundingItem>& items, Rounding rounding);

/// What an item costs at a width: bits (N b), or whole bytes (ceil(N b / 8)).
enum class CostUnit { bits, bytes };
Index cost_of(const RoundingItem& item, int bits, CostUnit unit);

/// An Error names the first item without allowed widths, with unsorted ones, or
/// with a learned width that is no number.
void check_items(const std::vector<RoundingItem>& items);

/// The widths of least expected loss among all whose cost is at most `limit`.
/// Quantization noise falls by 4 with every bit, so an item expects to lose
/// sensitivity 4^(b - a) at width a.  Exact: dynamic programming over the items,
/// keeping every (cost, loss) that no other dominates.  If the best one uses less
/// than 99 % of the limit, the best that uses more is taken, if there is any.
///
/// An Error tells the least cost there is when even that is above the limit.
Rounded round_to_budget(const std::vector<RoundingItem>& items, Index limit, CostUnit unit);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
