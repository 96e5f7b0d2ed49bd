#include <algorithm>

#include "quant/rounding.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

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
    std::vector<RoundingItem> items = items_;
    for (std::size_t k = 0; k < items.size(); ++k) {
      items[k].held = (is_row_[k] != 0) != rows;
      if (!items[k].held) continue;
      items[k].losses = {items_[k].loss(items_[k].position(best_.bits[k]))};
      items[k].allowed = {best_.bits[k]};
    }
    Rounded next = round_to_budgets(items, budgets_, couples_);
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
