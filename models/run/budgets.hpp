#pragma once

#include <vector>

#include "models/run/recipe.hpp"
#include "quant/cost.hpp"

namespace fraqat::run {

/// The budgets of a recipe.  Those of [quant.budget] take the place of the older
/// keys for the same tensors: weight_bits and bytes that of quant.weight.average_bits
/// and .bytes, activation_bits and activation_bytes that of
/// quant.activation.average_bits.  An Error{usage} if one counts no learned width.
std::vector<quant::Budget> budgets_of(const quant::Workload& workload, const Recipe& recipe);

/// Everything that is counted of a network, at its whole widths.
struct Counts {
  Index bytes = 0, bops = 0, activation_bytes = 0;
  bool operator==(const Counts&) const = default;
};
Counts counts_of(const quant::Workload& workload);

}  // namespace fraqat::run
