#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "models/run/bit_rounding.hpp"
#include "models/run/curriculum.hpp"
#include "models/run/priced_bits.hpp"
#include "models/run/recipe.hpp"
#include "quant/budget.hpp"
#include "quant/task_gradients.hpp"

namespace fraqat::run {

/// Learns the bit-widths of a network along with its weights: those that a budget
/// of the recipe counts under their budgets, the others at the recipe's lambda.
class BitSearch {
 public:
  /// The network, quantizers attached, and the recipe must outlive the search.
  BitSearch(nn::Module& model, const Recipe& recipe);

  /// Sets temperatures, the price of entropy and the widths of the curriculum;
  /// `progress` in [0, 1).
  void before_step(double progress);

  /// On the tape, or none: lambda * sum f(b) of the widths without a budget, and the
  /// entropies of all distributions over widths at their price.
  Var cost();

  /// When the backward pass of the task is done: takes note of the gradients that it has left
  /// on the widths, and adds those of cost().
  void after_backward();

  /// Takes note of the task's loss in the step, for the curriculum.
  void after_loss(double loss) { curriculum_.after_step(loss); }

  /// Moves the widths, from the gradients that after_backward() left; `progress` in (0, 1].
  void step(double progress);

  /// Call it after each epoch: an Error names a width strictly between its
  /// bounds whose task gradient was 0 in every step of the epoch.
  void check_alive() { task_.check_alive(); }

  /// Prices, and steps that could not reach a target, for a line of metrics.
  void describe(nlohmann::ordered_json& line) const;

  /// What a resumed search needs besides the network, exactly.
  nlohmann::json state();
  void set_state(const nlohmann::json& state);

  /// Rounds every learned width as the recipe says, freezes all quantizers and
  /// returns what BitRounding::round() does, with the "price" of each budget (mean of
  /// the tail) and its "highest" cost after a step.  `loss` as there.
  nlohmann::ordered_json round(const TrueLoss& loss = {});

  /// How often round() will ask for the loss, at most.
  Index losses_to_measure() const { return rounding_.losses_to_measure(); }

  const quant::Workload& workload() const { return workload_; }

 private:
  LearnedBits learned() const;
  void set_temperature(double temperature);

  const Recipe& recipe_;
  Curriculum curriculum_;
  quant::Workload workload_;
  std::vector<quant::Budget> budgets_;
  std::unique_ptr<quant::BudgetedBits> budgeted_;  // none without budgets
  std::unique_ptr<PricedBits> priced_;
  quant::TaskGradients task_;
  BitRounding rounding_;
  double entropy_price_ = 0;  // rises to the recipe's
  double temperature_ = 1;    // of the last step
};

}  // namespace fraqat::run
