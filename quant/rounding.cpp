#include "quant/rounding.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "quant/knapsack.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

Index least_cost(const std::vector<RoundingItem>& items, CostUnit unit) {
  Index least = 0;
  for (const RoundingItem& item : items) least += cost_of(item, item.allowed.front(), unit);
  return least;
}

Width round_one(const RoundingItem& item, Rounding rounding) {
  const std::vector<Width>& allowed = item.allowed;
  const auto coarser = [&](const Width& width, double bits) {
    return item.resolution(width) < bits;
  };
  const auto above = std::lower_bound(allowed.begin(), allowed.end(), item.bits, coarser);
  const Width up = above == allowed.end() ? allowed.back() : *above;
  const bool met = above != allowed.end() && item.resolution(*above) == item.bits;
  const Width down = met ? *above : above == allowed.begin() ? allowed.front() : *(above - 1);
  if (rounding == Rounding::ceil) return up;
  if (rounding == Rounding::floor) return down;
  const double to_up = std::abs(item.resolution(up) - item.bits);
  return to_up <= std::abs(item.bits - item.resolution(down)) ? up : down;
}

}  // namespace

std::size_t RoundingItem::position(const Width& width) const {
  return static_cast<std::size_t>(std::find(allowed.begin(), allowed.end(), width) -
                                  allowed.begin());
}

double RoundingItem::loss(std::size_t i) const {
  return losses.empty() ? sensitivity * std::pow(4.0, bits - resolution(allowed[i])) : losses[i];
}

double expected_loss(const std::vector<RoundingItem>& items, const std::vector<Width>& bits) {
  double sum = 0;
  for (std::size_t k = 0; k < items.size(); ++k) sum += items[k].loss(items[k].position(bits[k]));
  return sum;
}

Index cost_of(const RoundingItem& item, const Width& width, CostUnit unit) {
  return unit == CostUnit::bits ? bits_of(item.elements, width) : width.bytes(item.elements);
}

void check_items(const std::vector<RoundingItem>& items) {
  for (const RoundingItem& item : items) {
    check(!item.allowed.empty(), "[round] no allowed width for ", item.name);
    const auto rises = [&](const Width& a, const Width& b) {
      return item.resolution(a) < item.resolution(b);
    };
    check(std::is_sorted(item.allowed.begin(), item.allowed.end(), rises),
          "[round] allowed widths of ", item.name, " must rise");
    check(std::isfinite(item.bits), "[round] the learned width of ", item.name, " is no number");
    check(item.losses.empty() || item.losses.size() == item.allowed.size(),
          "[round] the losses of ", item.name, " are not one for each allowed width");
  }
}

Rounding rounding_of(std::string_view name) {
  if (name == "nearest") return Rounding::nearest;
  if (name == "ceil") return Rounding::ceil;
  if (name == "floor") return Rounding::floor;
  check(name == "budget", "[round] no such rounding: got ", name,
        "; expected nearest, ceil, floor or budget");
  return Rounding::budget;
}

Rounded round_each(const std::vector<RoundingItem>& items, Rounding rounding) {
  check_items(items);
  check(rounding != Rounding::budget, "[round] rounding to a budget needs a budget");
  Rounded result;
  for (const RoundingItem& item : items) {
    result.bits.push_back(round_one(item, rounding));
    result.cost += cost_of(item, result.bits.back(), CostUnit::bits);
  }
  return result;
}

Rounded round_to_budget(const std::vector<RoundingItem>& items, Index limit, CostUnit unit) {
  check_items(items);
  const Index least = least_cost(items, unit);
  check(least <= limit, "[round] the budget is below the least there is: got ", limit,
        unit == CostUnit::bits ? " bits" : " bytes", "; expected at least ", least,
        "; try a larger budget or smaller allowed widths");
  std::vector<std::vector<Choice>> choices;
  for (const RoundingItem& item : items) {
    choices.emplace_back();
    for (std::size_t i = 0; i < item.allowed.size(); ++i)
      choices.back().push_back({item.loss(i), {cost_of(item, item.allowed[i], unit)}});
  }
  const Packing packing = pack(choices, {limit});
  Rounded result{{}, packing.costs[0], limit};
  for (std::size_t k = 0; k < items.size(); ++k)
    result.bits.push_back(items[k].allowed[packing.chosen[k]]);
  return result;
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
