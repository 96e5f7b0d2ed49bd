#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "quant/cost.hpp"
#include "quant/multiplier.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// Learns the bit-widths of a network's sites under one or more budgets.
///
/// Each step moves the parameters by Adam's rule for the task gradient plus the
/// prices lambda_i of the budgets,
///
///   theta <- theta - clip(P (m + sum_i lambda_i dC_i/db db/dtheta), +-5 rate),
///   P = rate / (sqrt(v) + eps),
///
/// m and v being moments of the task gradient alone and C_i the costs, whose
/// derivatives are taken anew in every step.  The multiplier finds the prices.  A
/// budget on the largest of several sums is a budget, and a price, for each of them.
class BudgetedBits {
 public:
  struct Options {
    double rate = 0.02;  // of Adam
    double ramp = 0.4;   // share of the search until the targets are reached (multiplier: exact)
    double tail = 0.4;   // share of the search, its end, whose mean b is rounded
    std::string multiplier = "exact";
  };

  /// `all` are the quantizers whose sites (sites.hpp) the costs count by position.  Those
  /// whose width is learned and that a budget counts are moved.  They must outlive this, and
  /// keep their policies while it is used.
  BudgetedBits(std::vector<Quantizer*> all, std::vector<Budget> budgets, Options options);
  ~BudgetedBits();

  /// True if site k is moved by the budgets.
  bool moves(std::size_t k) const { return items_[k].moved; }

  /// One step at `progress` in [0, 1] of the search, from the gradients that the
  /// backward pass has left on the policies' parameters, which it clears.
  void step(double progress);

  /// Instead of a step: forgets the gradients.
  void clear_gradients();

  const std::vector<Budget>& budgets() const { return budgets_; }

  /// Lambda of the last step, in loss per unit of the budget's cost, and its mean
  /// over the tail.
  double price(std::size_t budget) const;
  double mean_price(std::size_t budget) const;

  /// False if the last step could not reach all its targets within the step limit
  /// (the prices are then the highest that still moved a width), and how many
  /// steps could not reach that of a budget.
  bool met() const;
  Index limited_steps(std::size_t budget) const { return limited_[budget]; }

  /// The largest cost that a step has left, of no step that of the start, as a part of the budget.
  double highest_use(std::size_t budget) const;

  /// At the widths of the moment.
  double cost(std::size_t budget) const;

  /// Mean b over the tail of the search, one for each site (fixed: its width).
  std::vector<double> learned_bits() const;

  /// Means over the tail, for each site: -dL/db, what a bit more would gain, and
  /// what the budgets ask for it.
  std::vector<double> gain() const;
  std::vector<double> price_of_a_bit() const;

  /// Everything that step() has left here, as numbers, and back: what a resumed
  /// search needs besides the policies' own parameters.
  std::vector<double> state() const;
  void set_state(std::span<const double> numbers);

 private:
  struct Item {
    Site site;
    bool moved = false;
    std::vector<double> m = {}, v = {}, theta = {}, next = {};
    std::vector<double> push = {}, rate = {}, slope = {};  // of the step: m, P, db/dtheta

    BitPolicy& policy() const { return site.quantizer->bits(); }
    /// The first of the numbers of the policy's parameter that are this site's.
    Index first() const { return site.row * static_cast<Index>(m.size()); }
    double sum_bits = 0, sum_gain = 0, sum_price = 0;
  };
  /// A sum of a budget's cost, which must meet the target by itself.
  struct Part {
    const Sum* sum;
    std::size_t budget;
    double scale, target;                 // target in units of scale
    double start = 0, sum_price = 0;      // the cost where the search began; over the tail
    std::vector<std::size_t> moved = {};  // items of the sum
    std::vector<double> slopes = {};      // at the widths before the step, in units of scale
  };
  class Step;

  void take_gradients();
  void take_slopes();
  void take_step();
  void add_to_tail();
  double use_of(const Part& part) const;
  void prepare(Item& item) const;
  void move(Item& item, std::size_t k, std::span<const Constraint> prices);
  template <class Self, class Each>
  static void each_number(Self& self, Each&& each);

  std::vector<Item> items_;
  std::vector<Budget> budgets_;
  Options options_;
  std::vector<Part> parts_;
  std::vector<Constraint> constraints_;  // one for each part
  std::vector<double> widths_;           // of the step that is tried
  std::unique_ptr<Multiplier> multiplier_;
  Index steps_ = 0, tail_steps_ = 0;
  std::vector<Index> limited_;  // of each budget
  std::vector<double> highest_;
};

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
