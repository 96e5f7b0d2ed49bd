#include "quant/knapsack.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/error.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

using Items = std::vector<std::vector<Choice>>;

constexpr std::size_t most_states = 10000;  // of several costs: comparing them is quadratic
constexpr std::size_t many_items = 200;     // more than tensors: rows, which need bounds

/// The choice for an item, and the state for those before.
struct Decision {
  std::size_t choice, before;
};

/// Choices for the first items: their costs and loss, and the last step to them.
struct State {
  double loss;
  Decision step;
  std::vector<Index> costs = {};
};

/// The same with one cost, which is what most problems have.
struct Single {
  Index cost;
  double loss;
  std::size_t choice, before;
};

void check_feasible(const Items& items, const std::vector<Index>& limits) {
  for (std::size_t l = 0; l < limits.size(); ++l) {
    Index least = 0;
    for (const auto& choices : items) {
      check(!choices.empty(), "[round] an item without choices");
      Index cheapest = choices[0].costs[l];
      for (const Choice& choice : choices) cheapest = std::min(cheapest, choice.costs[l]);
      least += cheapest;
    }
    check(least <= limits[l], "[round] no choice is within the limit: got ", limits[l],
          "; expected at least ", least);
  }
}

Packing packing_of(const Items& items, std::size_t limits, std::vector<std::size_t> chosen) {
  Packing packing{std::move(chosen), std::vector<Index>(limits), 0};
  for (std::size_t k = 0; k < items.size(); ++k) {
    const Choice& choice = items[k][packing.chosen[k]];
    packing.loss += choice.loss;
    for (std::size_t l = 0; l < limits; ++l) packing.costs[l] += choice.costs[l];
  }
  return packing;
}

/// Keeps the states that none is cheaper than and better at once, and besides the
/// best of each `bucket` of costs, so that fuller solutions stay to choose from.
void prune(std::vector<Single>& states, Index bucket) {
  std::sort(states.begin(), states.end(), [](const Single& a, const Single& b) {
    return a.cost != b.cost ? a.cost < b.cost : a.loss < b.loss;
  });
  std::vector<Single> kept;
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

/// The best of those within the limit, if possible among those that fill it; and whether it is
/// the best of all.
std::pair<std::size_t, bool> choose(const std::vector<Single>& states, Index limit) {
  const auto best_from = [&](double least_cost) {
    std::size_t best = states.size();
    for (std::size_t i = 0; i < states.size(); ++i)
      if (states[i].cost <= limit && static_cast<double>(states[i].cost) >= least_cost &&
          (best == states.size() || states[i].loss < states[best].loss))
        best = i;
    return best;
  };
  const std::size_t full = best_from(0.99 * static_cast<double>(limit)), best = best_from(0);
  if (full == states.size()) return {best, true};
  return {full, states[full].loss <= states[best].loss};
}

template <class Steps>
std::vector<std::size_t> walk_back(const std::vector<Steps>& table, std::size_t at) {
  std::vector<std::size_t> chosen(table.size() - 1);
  for (std::size_t k = chosen.size(); k > 0; --k) {
    chosen[k - 1] = table[k][at].choice;
    at = table[k][at].before;
  }
  return chosen;
}

Packing pack_one_limit(const Items& items, Index limit) {
  std::vector<std::vector<Single>> table{{Single{0, 0, 0, 0}}};
  for (const std::vector<Choice>& choices : items) {
    std::vector<Single> states;
    const std::vector<Single>& before = table.back();
    for (std::size_t i = 0; i < before.size(); ++i)
      for (std::size_t c = 0; c < choices.size(); ++c) {
        const Index cost = before[i].cost + choices[c].costs[0];
        if (cost <= limit) states.push_back({cost, before[i].loss + choices[c].loss, c, i});
      }
    prune(states, std::max<Index>(1, limit / 512));
    table.push_back(std::move(states));
  }
  const auto [at, exact] = choose(table.back(), limit);
  Packing packing = packing_of(items, 1, walk_back(table, at));
  packing.exact = exact;
  return packing;
}

bool no_dearer(const std::vector<Index>& a, const std::vector<Index>& b) {
  for (std::size_t l = 0; l < a.size(); ++l)
    if (a[l] > b[l]) return false;
  return true;
}

bool better(const State& a, const State& b) {
  return a.loss != b.loss ? a.loss < b.loss : a.costs < b.costs;
}

/// Keeps the states that no other dominates; false if they are too many.
bool prune(std::vector<State>& states) {
  std::sort(states.begin(), states.end(), better);
  std::vector<State> kept;
  for (State& state : states) {
    const auto dominates = [&](const State& other) { return no_dearer(other.costs, state.costs); };
    // Of one cost the last that was kept is the cheapest of all.
    const bool single = state.costs.size() == 1;
    const bool dominated = single ? !kept.empty() && dominates(kept.back())
                                  : std::any_of(kept.begin(), kept.end(), dominates);
    if (!dominated) kept.push_back(std::move(state));
    if (kept.size() > most_states) return false;
  }
  states = std::move(kept);
  return true;
}

/// What no packing can be better than, by what the first items have chosen.
class Bounds {
 public:
  Bounds(const Items& items, const std::vector<Index>& limits, const Packing& relaxed)
      : limits_(limits), relaxed_(relaxed), costs_(items.size() + 1), priced_(items.size() + 1) {
    costs_.back().assign(limits.size(), 0);
    for (std::size_t k = items.size(); k-- > 0;) {
      costs_[k] = costs_[k + 1];
      double least = std::numeric_limits<double>::infinity();
      for (const Choice& choice : items[k])
        least = std::min(least, priced(choice.loss, choice.costs));
      priced_[k] = priced_[k + 1] + least;
      for (std::size_t l = 0; l < limits.size(); ++l) {
        Index cheapest = items[k][0].costs[l];
        for (const Choice& choice : items[k]) cheapest = std::min(cheapest, choice.costs[l]);
        costs_[k][l] += cheapest;
      }
    }
  }

  /// False if no choice of the items from k on is within the limits, or if none leads
  /// to less loss than the relaxation has: at its prices they could not pay for it.
  bool open(std::size_t k, double loss, const std::vector<Index>& costs) const {
    double spent = 0;
    for (std::size_t l = 0; l < limits_.size(); ++l) {
      if (costs[l] + costs_[k][l] > limits_[l]) return false;
      spent += relaxed_.prices[l];
    }
    return priced(loss, costs) + priced_[k] - spent <= relaxed_.loss * (1 + 1e-9);
  }

 private:
  double priced(double loss, const std::vector<Index>& costs) const {
    for (std::size_t l = 0; l < limits_.size(); ++l)
      loss += relaxed_.prices[l] * static_cast<double>(costs[l]) /
              static_cast<double>(std::max<Index>(1, limits_[l]));
    return loss;
  }

  const std::vector<Index>& limits_;
  const Packing& relaxed_;
  std::vector<std::vector<Index>> costs_;  // of the items from k on, at least
  std::vector<double> priced_;             // and their loss with the price of their costs
};

/// All of it by dynamic programming; no choices if there are too many states.
Packing pack_exactly(const Items& items, const std::vector<Index>& limits, const Packing& relaxed) {
  const Bounds bounds(items, limits, relaxed);
  std::vector<State> states{State{0, {0, 0}, std::vector<Index>(limits.size())}};
  std::vector<std::vector<Decision>> table{{Decision{0, 0}}};
  for (std::size_t k = 0; k < items.size(); ++k) {
    std::vector<State> next;
    for (std::size_t i = 0; i < states.size(); ++i)
      for (std::size_t c = 0; c < items[k].size(); ++c) {
        const Choice& choice = items[k][c];
        State state{states[i].loss + choice.loss, {c, i}, states[i].costs};
        for (std::size_t l = 0; l < limits.size(); ++l) state.costs[l] += choice.costs[l];
        if (bounds.open(k + 1, state.loss, state.costs)) next.push_back(std::move(state));
      }
    if (k + 1 < items.size() && !prune(next)) return {};
    states = std::move(next);
    table.emplace_back();
    for (const State& state : states) table.back().push_back(state.step);
  }
  const auto best = std::min_element(states.begin(), states.end(), better);
  if (best == states.end()) return {};  // rounding errors: the relaxation is as good
  return packing_of(items, limits.size(),
                    walk_back(table, static_cast<std::size_t>(best - states.begin())));
}

}  // namespace

Packing pack(const std::vector<std::vector<Choice>>& items, const std::vector<Index>& limits) {
  check_feasible(items, limits);
  if (limits.size() == 1 && items.size() <= many_items) return pack_one_limit(items, limits[0]);
  const Packing relaxed = pack_relaxed(items, limits);
  const Packing packing = pack_exactly(items, limits, relaxed);
  return packing.chosen.size() == items.size() ? packing : relaxed;
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
