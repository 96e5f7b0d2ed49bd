#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "quant/coupling.hpp"
#include "quant/knapsack.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

constexpr std::size_t most_combinations = 2401;  // of one item: 7^4

/// A budget's sum, which must be within a limit of its own.
struct Limit {
  const Budget* budget;
  const Sum* sum;
  Index limit, fineness;
};

std::vector<Limit> limits_of(const std::vector<Budget>& budgets) {
  std::vector<Limit> limits;
  for (const Budget& budget : budgets)
    for (const Sum& sum : budget.cost.sums)
      limits.push_back({&budget, &sum, sum.limit(budget.target), sum.fineness()});
  return limits;
}

/// The item without widths that take more bytes than finer ones, as the words of a level count may
/// in a tensor of few numbers: of what is left, the narrowest takes the least and the widest the
/// most.
void drop_dearer(RoundingItem& item, Index elements) {
  Index least = item.allowed.back().bytes(elements);
  for (std::size_t i = item.allowed.size(); i-- > 0;) {
    const Index bytes = item.allowed[i].bytes(elements);
    least = std::min(least, bytes);
    if (bytes == least) continue;
    item.allowed.erase(item.allowed.begin() + static_cast<std::ptrdiff_t>(i));
    if (!item.losses.empty())
      item.losses.erase(item.losses.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

/// Chooses widths for all tensors at once.
class Joint {
 public:
  Joint(std::vector<RoundingItem> items, const std::vector<Budget>& budgets, const Couples& couples)
      : together_(items.size()), groups_(items.size()), limits_(limits_of(budgets)) {
    for (const auto& [a, b] : couples) together_.join(a, b);
    nearest_ = round_each(items, Rounding::nearest, couples).bits;
    for (const Limit& limit : limits_)
      for (const Sum::Term& term : limit.sum->terms)
        if (limit.sum->bytes && term.stream == Sum::none) drop_dearer(items[term.left], term.count);
    items_ = coupled(std::move(items), couples, together_);
    for (std::size_t k = 0; k < items_.size(); ++k) groups_.join(k, together_.of(k));
    for (const Limit& limit : limits_)
      for (const Sum::Term& term : limit.sum->terms)
        if (term.right != Sum::none && !items_[term.left].held && !items_[term.right].held)
          groups_.join(term.left, term.right);
    for (const RoundingItem& item : items_) {
      lowest_.push_back(item.allowed.front());
      highest_.push_back(item.allowed.back());
    }
  }

  void check_feasible() const {
    for (const Limit& limit : limits_) {
      const Index least = limit.sum->count(lowest_);
      check(least <= limit.limit, "[round] the budget for ", limit.budget->cost.name,
            " is below the least there is: got ", in_digits(limit.budget->target), " ",
            limit.budget->cost.unit, "; expected at least ",
            in_digits(limit.budget->cost.exact(lowest_)),
            ", which the smallest allowed widths take; try a larger budget or smaller allowed "
            "widths");
    }
  }

  Rounded solve() {
    check_feasible();
    bits_ = nearest_;  // for what no budget counts
    Union components = groups_;
    for (const Limit& limit : limits_)
      for (const Sum::Term& term : limit.sum->terms)
        components.join(owner(limit.sum->terms[0]), owner(term));
    for (std::size_t k = 0; k < items_.size(); ++k)
      if (components.of(k) == k) solve(components, k);
    return {bits_, exact_};
  }

 private:
  /// Tensors that are chosen for together.
  struct Group {
    std::vector<std::size_t> members;
    std::vector<std::vector<Width>> widths;  // of the members, one for each choice
    std::vector<Choice> choices = {};
  };

  /// The item whose choice a term belongs to: one that is not held, where there is one.
  std::size_t owner(const Sum::Term& term) const {
    return term.right != Sum::none && items_[term.left].held ? term.right : term.left;
  }

  /// The first of each set of coupled tensors stands for it.
  std::vector<std::size_t> leaders(const Group& group) const {
    std::vector<std::size_t> leaders;
    for (const std::size_t k : group.members)
      if (together_.of(k) == k) leaders.push_back(k);
    return leaders;
  }

  /// The widths of each, fewer (those nearest to the learned one, and the smallest)
  /// where there would be too many combinations.
  std::vector<std::vector<Width>> options(const std::vector<std::size_t>& leaders) {
    std::vector<std::vector<Width>> all;
    for (const std::size_t k : leaders) all.push_back(items_[k].allowed);
    const auto combinations = [&] {
      std::size_t product = 1;
      for (const auto& widths : all) product *= widths.size();
      return product;
    };
    while (combinations() > most_combinations) {
      exact_ = false;
      std::size_t most = 0;
      for (std::size_t i = 0; i < all.size(); ++i)
        if (all[i].size() > all[most].size()) most = i;
      if (all[most].size() <= 2) break;
      const RoundingItem& item = items_[leaders[most]];
      const auto away = [&](const Width& w) { return std::abs(item.resolution(w) - item.bits); };
      all[most].erase(
          std::max_element(all[most].begin() + 1, all[most].end(),
                           [&](const Width& a, const Width& b) { return away(a) < away(b); }));
    }
    return all;
  }

  void enumerate(Group& group, const std::vector<const Limit*>& limits) {
    const std::vector<std::size_t> first = leaders(group);
    const std::vector<std::vector<Width>> widths = options(first);
    std::vector<std::size_t> digit(first.size());
    for (bool more = true; more;) {
      std::vector<Width> bits = lowest_;
      for (std::size_t i = 0; i < first.size(); ++i)
        for (const std::size_t k : group.members)
          if (together_.of(k) == first[i]) bits[k] = widths[i][digit[i]];
      group.widths.emplace_back();
      for (const std::size_t k : group.members) group.widths.back().push_back(bits[k]);
      group.choices.push_back(choice(group, bits, limits));
      more = false;
      for (std::size_t i = 0; i < first.size() && !more; ++i) {
        more = ++digit[i] < widths[i].size();
        if (!more) digit[i] = 0;
      }
    }
  }

  Choice choice(const Group& group, const std::vector<Width>& bits,
                const std::vector<const Limit*>& limits) const {
    Choice choice;
    for (const std::size_t k : group.members)
      choice.loss += items_[k].loss(items_[k].position(bits[k]));
    for (const Limit* limit : limits) {
      Index cost = 0;
      for (const Sum::Term& term : limit->sum->terms)
        if (groups_.of(owner(term)) == groups_.of(group.members[0]))
          cost += limit->sum->count(term, bits, limit->fineness);
      choice.costs.push_back(cost);
    }
    return choice;
  }

  /// The limits of a component that could be broken at all.
  std::vector<const Limit*> limits_in(const Union& components, std::size_t component) const {
    std::vector<const Limit*> some;
    const Limit* loosest = nullptr;
    for (const Limit& limit : limits_) {
      if (limit.sum->terms.empty() || components.of(owner(limit.sum->terms[0])) != component)
        continue;
      loosest = &limit;
      if (limit.sum->count(highest_) > limit.limit) some.push_back(&limit);
    }
    if (some.empty() && loosest) some.push_back(loosest);
    return some;
  }

  /// For the terms of a limit, which the lowest widths are within.
  Index room_in(const Limit& limit) const {
    Index least = 0;
    for (const Sum::Term& term : limit.sum->terms)
      least += limit.sum->count(term, lowest_, limit.fineness);
    return std::max(least, limit.sum->term_limit(limit.limit));
  }

  void solve(const Union& components, std::size_t component) {
    const std::vector<const Limit*> limits = limits_in(components, component);
    if (limits.empty()) return;
    std::vector<Group> groups;
    for (std::size_t g = 0; g < items_.size(); ++g) {
      if (groups_.of(g) != g || components.of(g) != component) continue;
      Group group;
      for (std::size_t k = g; k < items_.size(); ++k)
        if (groups_.of(k) == g) group.members.push_back(k);
      enumerate(group, limits);
      groups.push_back(std::move(group));
    }
    std::vector<std::vector<Choice>> choices;
    for (const Group& group : groups) choices.push_back(group.choices);
    std::vector<Index> most;
    for (const Limit* limit : limits) most.push_back(room_in(*limit));
    const Packing packing = pack(choices, most);
    exact_ &= packing.exact;
    for (std::size_t g = 0; g < groups.size(); ++g)
      for (std::size_t m = 0; m < groups[g].members.size(); ++m)
        bits_[groups[g].members[m]] = groups[g].widths[packing.chosen[g]][m];
  }

  Union together_, groups_;
  std::vector<Limit> limits_;
  std::vector<RoundingItem> items_;
  std::vector<Width> lowest_, highest_, nearest_, bits_;
  bool exact_ = true;
};

}  // namespace

Rounded round_each(const std::vector<RoundingItem>& items, Rounding rounding,
                   const Couples& couples) {
  check_items(items);
  Union together(items.size());
  for (const auto& [a, b] : couples) together.join(a, b);
  std::vector<RoundingItem> shared = coupled(items, couples, together);
  for (std::size_t k = 0; k < items.size(); ++k)
    if (together.of(k) == k) shared[k].bits = mean_bits(items, together, k);
  for (std::size_t k = 0; k < items.size(); ++k) shared[k].bits = shared[together.of(k)].bits;
  return round_each(shared, rounding);
}

Rounded round_to_budgets(const std::vector<RoundingItem>& items, const std::vector<Budget>& budgets,
                         const Couples& couples) {
  return Joint(items, budgets, couples).solve();
}

void check_feasible(const std::vector<RoundingItem>& items, const std::vector<Budget>& budgets,
                    const Couples& couples) {
  Joint(items, budgets, couples).check_feasible();
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
