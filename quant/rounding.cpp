#include "quant/rounding.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

Index least_cost(const std::vector<RoundingItem>& items, CostUnit unit) {
  Index least = 0;
  for (const RoundingItem& item : items) least += cost_of(item, item.allowed.front(), unit);
  return least;
}

double loss_of(const RoundingItem& item, int bits) {
  return item.sensitivity * std::pow(4.0, item.bits - bits);
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

/// A choice for the first items: its cost, its loss, the width of the last of
/// them, and the choice for those before.
struct State {
  Index cost;
  double loss;
  int bits;
  int before;
};

/// Keeps the states that none is cheaper than and better at once, and besides the
/// best of each `bucket` of costs, so that fuller solutions stay to choose from.
void prune(std::vector<State>& states, Index bucket) {
  std::sort(states.begin(), states.end(), [](const State& a, const State& b) {
    return a.cost != b.cost ? a.cost < b.cost : a.loss < b.loss;
  });
  std::vector<State> kept;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < states.size();) {
    std::size_t best = i, end = i;
    const Index number = states[i].cost / bucket;
    for (; end < states.size() && states[end].cost / bucket == number; ++end)
      if (states[end].loss < states[best].loss) best = end;
    for (std::size_t k = i; k < end; ++k)
      if (states[k].loss < least || k == best) {
        kept.push_back(states[k]);
        least = std::min(least, states[k].loss);
      }
    i = end;
  }
  states = std::move(kept);
}

/// The best of those within the limit, if possible among those that fill it.
std::size_t choose(const std::vector<State>& states, Index limit) {
  const auto best_from = [&](double least_cost) {
    std::size_t best = states.size();
    for (std::size_t i = 0; i < states.size(); ++i)
      if (states[i].cost <= limit && static_cast<double>(states[i].cost) >= least_cost &&
          (best == states.size() || states[i].loss < states[best].loss))
        best = i;
    return best;
  };
  const std::size_t full = best_from(0.99 * static_cast<double>(limit));
  return full < states.size() ? full : best_from(0);
}

}  // namespace

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
  std::vector<std::vector<State>> table{{State{0, 0, 0, -1}}};
  for (const RoundingItem& item : items) {
    std::vector<State> states;
    const std::vector<State>& before = table.back();
    for (std::size_t i = 0; i < before.size(); ++i)
      for (const int a : item.allowed)
        states.push_back({before[i].cost + cost_of(item, a, unit),
                          before[i].loss + loss_of(item, a), a, static_cast<int>(i)});
    std::erase_if(states, [&](const State& s) { return s.cost > limit; });
    check(!states.empty(), "[round] the budget is below the least there is: got ", limit,
          unit == CostUnit::bits ? " bits" : " bytes", "; expected at least ",
          least_cost(items, unit), "; try a larger budget or smaller allowed widths");
    prune(states, std::max<Index>(1, limit / 512));
    table.push_back(std::move(states));
  }
  const std::vector<State>& last = table.back();
  std::size_t at = choose(last, limit);
  Rounded result{std::vector<int>(items.size()), last[at].cost, limit};
  for (std::size_t k = items.size(); k > 0; --k) {
    const State& state = table[k][at];
    result.bits[k - 1] = state.bits;
    at = static_cast<std::size_t>(state.before);
  }
  return result;
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
