#pragma once

#include <functional>
#include <string>

#include "quant/rounding.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// Rounded widths, and better ones by the true loss.
struct Exchange {
  std::vector<Width> bits;
  double loss = 0;    // of these
  int tried = 0;      // losses that were asked for, beyond that of the start
  int exchanged = 0;  // exchanges that were kept
};

/// Tries at most `most` exchanges within the budgets: one tensor a width up, and
/// where the budgets then need it, another one down.  Keeps each that lowers `loss`,
/// the true loss at the widths given; those of least expected loss are tried first.
/// None leaves more than 1 % of a budget unused that was used before, and what no budget
/// counts stays as it is, unless it is coupled to what one does.
Exchange exchange_widths(const std::vector<RoundingItem>& items, const std::vector<Budget>& budgets,
                         const Couples& couples, std::vector<Width> bits, int most,
                         const std::function<double(const std::vector<Width>&)>& loss);

/// Why `bits` leave more than 1 % of budgets[i] unused, in words that go on from "unused: "; empty
/// where they do not.
std::string why_unused(const std::vector<RoundingItem>& items, const std::vector<Budget>& budgets,
                       const Couples& couples, const std::vector<Width>& bits, std::size_t i);

/// True if no budget is exceeded at these widths.
bool within(const std::vector<Budget>& budgets, const std::vector<Width>& bits);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
