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

int round_one(const RoundingItem& item, Rounding rounding) {
  const std::vector<int>& allowed = item.allowed;
  const auto above = std::lower_bound(allowed.begin(), allowed.end(), item.bits);
  const int up = above == allowed.end() ? allowed.back() : *above;
  const int down = above != allowed.end() && *above == item.bits ? *above
                   : above == allowed.begin()                    ? allowed.front()
                                                                 : *(above - 1);
  if (rounding == Rounding::ceil) return up;
  if (rounding == Rounding::floor) return down;
  return std::abs(up - item.bits) <= std::abs(item.bits - down) ? up : down;
}

}  // namespace

double RoundingItem::loss(std::size_t i) const {
  return losses.empty() ? sensitivity * std::pow(4.0, bits - allowed[i]) : losses[i];
}

double expected_loss(const std::vector<RoundingItem>& items, const std::vector<int>& bits) {
  double sum = 0;
  for (std::size_t k = 0; k < items.size(); ++k) {
    const auto& allowed = items[k].allowed;
    const auto at = std::find(allowed.begin(), allowed.end(), bits[k]) - allowed.begin();
    sum += items[k].loss(static_cast<std::size_t>(at));
  }
  return sum;
}

Index cost_of(const RoundingItem& item, int bits, CostUnit unit) {
  const Index total = item.elements * bits;
  return unit == CostUnit::bits ? total : (total + 7) / 8;
}

void check_items(const std::vector<RoundingItem>& items) {
  for (const RoundingItem& item : items) {
    check(!item.allowed.empty(), "[round] no allowed width for ", item.name);
    check(std::is_sorted(item.allowed.begin(), item.allowed.end()), "[round] allowed widths of ",
          item.name, " must rise");
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
