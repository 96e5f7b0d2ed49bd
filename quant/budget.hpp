#pragma once

#include <span>
#include <string>
#include <vector>

#include "quant/quantizer.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// Learns the bit-widths of some quantizers under a budget on their average,
/// sum N_k b_k / sum N_k <= target.
///
/// Each step moves the parameters by Adam's rule for the task gradient plus the
/// price lambda of the budget,
///
///   theta <- theta - clip(P (m + lambda n_k db/dtheta), +-5 rate),   P = rate / (sqrt(v) + eps),
///
/// m and v being moments of the task gradient alone and n_k = N_k / sum N.
/// lambda >= 0 is found anew in every step, by bisection, so that the cost meets
/// the target of the moment; it is the price of a bit.  The target of the moment
/// falls (or rises) linearly from the starting cost to the budget.
class BudgetedBits {
 public:
  struct Options {
    double target = 0;   // average bits
    double rate = 0.02;  // of Adam
    double ramp = 0.4;   // share of the search until the target is reached
    double tail = 0.4;   // share of the search, its end, whose mean b is rounded
  };

  /// `all` are the tensors of one role, fixed ones included: they cost, too.  They
  /// must outlive this, and keep their policies while it is used.
  BudgetedBits(std::vector<Quantizer*> all, Options options);

  /// One step at `progress` in [0, 1] of the search, from the gradients that the
  /// backward pass has left on the policies' parameters, which it clears.
  void step(double progress);

  /// lambda of the last step, in loss per average bit, and its mean over the tail.
  double price() const { return price_; }
  double mean_price() const;

  /// False if the last step could not reach its target within the step limit
  /// (price() is then the highest that still moved a width), and how many could not.
  bool met() const { return met_; }
  Index limited_steps() const { return limited_; }

  double cost() const;

  /// Mean b over the tail of the search, one for each of `all` (fixed: their width).
  std::vector<double> learned_bits() const;

  /// -dL/db of each of `all`, averaged over the tail: what a bit more would gain.
  std::vector<double> gain() const;

  /// Throws if a width strictly between its bounds has had a task gradient of
  /// exactly zero in every step since the last call: it is not being learned.
  void check_alive();

  /// Everything that step() has left here, as numbers, and back: what a resumed
  /// search needs besides the policies' own parameters.
  std::vector<double> state() const;
  void set_state(std::span<const double> numbers);

 private:
  struct Item {
    Quantizer* quantizer;
    double share;  // n_k
    std::vector<double> m, v, theta, next;
    double sum_bits = 0, sum_gain = 0;
    bool touched = false;
  };

  void take_gradients();
  double cost_at(double price);
  void find_price(double target);
  template <class Self, class Each>
  static void each_number(Self& self, Each&& each);

  std::vector<Item> items_;
  Options options_;
  double start_ = 0, price_ = 0;
  double sum_price_ = 0;  // over the tail
  Index steps_ = 0, tail_steps_ = 0, limited_ = 0;
  bool met_ = true;
};

/// lambda * sum_k f(b_k) over the learned widths, on the tape, for training
/// with a given price instead of a budget; f is b or, `quadratic`, b^2.
Var bit_cost(const std::vector<Quantizer*>& quantizers, double lambda, bool quadratic);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
