#include <algorithm>

#include "quant/rounding.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

/// `sum` with the widths of some items held: what they are multiplied with is left.
Sum held_in(Sum sum, const std::vector<char>& held, const std::vector<int>& bits) {
  std::vector<Sum::Term> free;
  for (Sum::Term term : sum.terms) {
    if (term.right == Sum::none) {
      free.push_back(term);
      continue;
    }
    if (held[term.left]) std::swap(term.left, term.right);
    if (held[term.right]) {
      term.count *= bits[term.right];
      term.right = Sum::none;
    }
    if (held[term.left])
      sum.constant += term.count * bits[term.left];
    else
      free.push_back(term);
  }
  sum.terms = std::move(free);
  return sum;
}

class Turns {
 public:
  Turns(const std::vector<RoundingItem>& items, const std::vector<Budget>& budgets,
        const Couples& couples, const Couples& rows)
      : items_(items), budgets_(budgets), couples_(couples), is_row_(items.size()) {
    for (const auto& [a, b] : rows) is_row_[a] = is_row_[b] = true;
    Couples wholes = couples;
    wholes.insert(wholes.end(), rows.begin(), rows.end());
    best_ = round_to_budgets(items, budgets, wholes);
    loss_ = expected_loss(items, best_.bits);
  }

  Rounded take() {
    constexpr int most = 10;
    bool better = true;
    for (int i = 0; i < most && better; ++i) {
      better = turn(true);
      better |= turn(false);
    }
    best_.exact = false;
    return best_;
  }

 private:
  /// Rounds the rows, or all else; true if that is better.
  bool turn(bool rows) {
    std::vector<char> held(items_.size());
    std::vector<RoundingItem> items = items_;
    for (std::size_t k = 0; k < items.size(); ++k) {
      held[k] = (is_row_[k] != 0) != rows;
      if (!held[k]) continue;
      items[k].losses = {expected_loss({items_[k]}, {best_.bits[k]})};
      items[k].allowed = {best_.bits[k]};
    }
    std::vector<Budget> budgets = budgets_;
    for (Budget& budget : budgets)
      for (Sum& sum : budget.cost.sums) sum = held_in(std::move(sum), held, best_.bits);
    Rounded next = round_to_budgets(items, budgets, couples_);
    const double loss = expected_loss(items_, next.bits);
    if (loss >= loss_) return false;
    loss_ = loss;
    best_ = std::move(next);
    return true;
  }

  const std::vector<RoundingItem>& items_;
  const std::vector<Budget>& budgets_;
  const Couples& couples_;
  std::vector<char> is_row_;
  Rounded best_;
  double loss_ = 0;
};

bool multiplies_rows(const std::vector<Budget>& budgets, const Couples& rows) {
  const auto is_row = [&](std::size_t k) {
    return std::any_of(rows.begin(), rows.end(),
                       [k](const auto& pair) { return pair.first == k || pair.second == k; });
  };
  for (const Budget& budget : budgets)
    for (const Sum& sum : budget.cost.sums)
      for (const Sum::Term& term : sum.terms)
        if (term.right != Sum::none && (is_row(term.left) || is_row(term.right))) return true;
  return false;
}

}  // namespace

Rounded round_rows_to_budgets(const std::vector<RoundingItem>& items,
                              const std::vector<Budget>& budgets, const Couples& couples,
                              const Couples& rows) {
  if (!multiplies_rows(budgets, rows)) return round_to_budgets(items, budgets, couples);
  return Turns(items, budgets, couples, rows).take();
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
