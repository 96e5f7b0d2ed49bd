#include "quant/exchange.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

bool is_used(const Budget& budget, const std::vector<Width>& bits) {
  return budget.cost.exact(bits) >= 0.99 * budget.target;
}

struct Candidate {
  std::size_t up, down;  // down = up: nothing
  double expected;       // change of the expected loss
};

/// Looks for exchanges around widths.
class Neighbourhood {
 public:
  Neighbourhood(const std::vector<RoundingItem>& items, const std::vector<Budget>& budgets,
                const Couples& couples)
      : items_(items), budgets_(budgets), couples_(couples) {
    for (const RoundingItem& item : items) {
      losses_.emplace_back();
      for (std::size_t i = 0; i < item.allowed.size(); ++i) losses_.back().push_back(item.loss(i));
    }
    counted_.resize(items.size());
    for (const Budget& budget : budgets)
      for (const Sum& sum : budget.cost.sums)
        for (const Sum::Term& term : sum.terms)
          for (const std::size_t k : {term.left, term.right})
            if (k != Sum::none) counted_[k] = true;
  }

  /// All exchanges, those that promise most first.
  std::vector<Candidate> around(const std::vector<Width>& bits) const {
    std::vector<Candidate> all;
    const double now = expected(bits);
    std::vector<const Budget*> used;  // to 99 %
    for (const Budget& budget : budgets_)
      if (is_used(budget, bits)) used.push_back(&budget);
    const auto still_used = [&](const std::vector<Width>& next) {
      return std::all_of(used.begin(), used.end(),
                         [&](const Budget* budget) { return is_used(*budget, next); });
    };
    std::vector<Width> raised = bits, paid;
    for (std::size_t up = 0; up < items_.size(); ++up, raised = bits) {
      if (!counted_[up] || !step(raised, up, 1)) continue;
      if (within(budgets_, raised)) {
        all.push_back({up, up, expected(raised) - now});
        continue;
      }
      for (std::size_t down = 0; down < items_.size(); ++down) {
        if (raised[down] != bits[down] || !step(paid = raised, down, -1)) continue;
        if (within(budgets_, paid) && still_used(paid))
          all.push_back({up, down, expected(paid) - now});
      }
    }
    std::stable_sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
      return a.expected < b.expected;
    });
    return all;
  }

  /// What keeps every tensor that budgets_[i] counts from its next wider width.
  std::string hindrance(const std::vector<Width>& bits, std::size_t i) const {
    const Cost& cost = budgets_[i].cost;
    const double used = cost.exact(bits), left = budgets_[i].target - used;
    double least = std::numeric_limits<double>::infinity();
    std::size_t cheapest = 0;
    const Budget* other = nullptr;
    std::vector<Width> raised = bits;
    for (std::size_t up = 0; up < items_.size(); ++up, raised = bits) {
      const double more = step(raised, up, 1) ? cost.exact(raised) - used : 0;
      if (more <= 0) continue;
      if (within(budgets_, raised)) return "wider tensors would not lower the loss";
      if (more < least) {
        least = more;
        cheapest = up;
      }
      if (more <= left && !other) other = broken(raised);
    }
    if (other) return "the budget " + other->cost.name + " allows no wider tensor";
    if (!std::isfinite(least)) return "every tensor that counts has the widest allowed width";
    return "the smallest step, to the next allowed width of " + items_[cheapest].name + ", takes " +
           in_digits(least) + " more";
  }

  std::vector<Width> exchanged(std::vector<Width> bits, const Candidate& candidate) const {
    step(bits, candidate.up, 1);
    if (candidate.down != candidate.up) step(bits, candidate.down, -1);
    return bits;
  }

 private:
  /// Tensor k and all that are coupled to it, one allowed width up or down.
  bool step(std::vector<Width>& bits, std::size_t k, int way) const {
    const auto& allowed = items_[k].allowed;
    const auto at = std::find(allowed.begin(), allowed.end(), bits[k]) - allowed.begin() + way;
    if (at < 0 || at >= static_cast<std::ptrdiff_t>(allowed.size())) return false;
    const Width to = allowed[static_cast<std::size_t>(at)];
    std::vector<std::size_t> moved = {k};
    for (std::size_t i = 0; i < moved.size(); ++i) {
      const auto& own = items_[moved[i]].allowed;
      if (std::find(own.begin(), own.end(), to) == own.end()) return false;
      bits[moved[i]] = to;
      for (const auto& [a, b] : couples_)
        for (const auto& [one, other] : {std::pair(a, b), std::pair(b, a)})
          if (one == moved[i] && std::find(moved.begin(), moved.end(), other) == moved.end())
            moved.push_back(other);
    }
    return true;
  }

  /// The first budget that is exceeded.
  const Budget* broken(const std::vector<Width>& bits) const {
    const auto found = std::find_if(budgets_.begin(), budgets_.end(),
                                    [&](const Budget& budget) { return !within({budget}, bits); });
    return found == budgets_.end() ? nullptr : &*found;
  }

  double expected(const std::vector<Width>& bits) const {
    double sum = 0;
    for (std::size_t k = 0; k < items_.size(); ++k) sum += losses_[k][items_[k].position(bits[k])];
    return sum;
  }

  const std::vector<RoundingItem>& items_;
  const std::vector<Budget>& budgets_;
  const Couples& couples_;
  std::vector<std::vector<double>> losses_;
  std::vector<char> counted_;  // in a budget: the others are at their nearest width and stay
};

}  // namespace

bool within(const std::vector<Budget>& budgets, const std::vector<Width>& bits) {
  for (const Budget& budget : budgets)
    for (const Sum& sum : budget.cost.sums)
      if (sum.count(bits) > sum.limit(budget.target)) return false;
  return true;
}

std::string why_unused(const std::vector<RoundingItem>& items, const std::vector<Budget>& budgets,
                       const Couples& couples, const std::vector<Width>& bits, std::size_t i) {
  if (is_used(budgets[i], bits)) return {};
  return Neighbourhood(items, budgets, couples).hindrance(bits, i);
}

Exchange exchange_widths(const std::vector<RoundingItem>& items, const std::vector<Budget>& budgets,
                         const Couples& couples, std::vector<Width> bits, int most,
                         const std::function<double(const std::vector<Width>&)>& loss) {
  Exchange result{std::move(bits)};
  if (most <= 0) return result;
  result.loss = loss(result.bits);
  const Neighbourhood neighbourhood(items, budgets, couples);
  std::vector<std::vector<Width>> seen = {result.bits};
  for (bool better = true; better && result.tried < most;) {
    better = false;
    for (const Candidate& candidate : neighbourhood.around(result.bits)) {
      if (result.tried == most) break;
      const std::vector<Width> next = neighbourhood.exchanged(result.bits, candidate);
      if (std::find(seen.begin(), seen.end(), next) != seen.end()) continue;
      seen.push_back(next);
      ++result.tried;
      const double now = loss(next);
      if (now >= result.loss) continue;
      result.bits = next;
      result.loss = now;
      ++result.exchanged;
      better = true;
      break;
    }
  }
  return result;
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
