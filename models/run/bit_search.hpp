#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "models/run/curriculum.hpp"
#include "models/run/recipe.hpp"
#include "optim/optimizer.hpp"
#include "quant/budget.hpp"
#include "quant/rounding.hpp"

namespace fraqat::run {

/// Learns the bit-widths of a network along with its weights: under a budget
/// where the recipe has one, weights and activations apart, at the recipe's
/// lambda where it has none.
class BitSearch {
 public:
  /// The network, quantizers attached, and the recipe must outlive the search.
  BitSearch(nn::Module& model, const Recipe& recipe);

  /// Sets temperatures, the price of entropy and the widths of the curriculum; `progress` in [0,
  /// 1).
  void before_step(double progress);

  /// On the tape, or none: lambda * sum f(b) of the widths without a budget, and the
  /// entropies of all distributions over widths at their price.
  Var cost() const;

  /// Takes note of the task's loss in the step, for the curriculum.
  void after_loss(double loss) { curriculum_.after_step(loss); }

  /// Moves the widths, from the gradients that backward() left; `progress` in (0, 1].
  void step(double progress);

  /// Call it after each epoch: an Error names a width strictly between its
  /// bounds whose task gradient was 0 in every step of an epoch past the warm-up.
  void check_alive();
  void describe(nlohmann::ordered_json& line) const;

  /// What a resumed search needs besides the network, exactly.
  nlohmann::json state();
  void set_state(const nlohmann::json& state);

  /// Rounds every learned width as the recipe says, freezes all quantizers and
  /// returns {"weight": {"unit", "target", "reached", "price"}, ...} for the
  /// budgets.  An Error if no allowed widths meet a budget.
  nlohmann::ordered_json round();

 private:
  /// The tensors of one role.
  struct Side {
    quant::Role role;
    const char* name;
    const Tensors* tensors;
    std::vector<quant::Quantizer*> all;
    std::unique_ptr<quant::BudgetedBits> budget;
    std::vector<double> sums;  // of b over the tail, without a budget
  };

  void check_feasible(const Side& side) const;
  bool rounds_to_budget(const Side& side) const;
  quant::Rounded round_to_budget(const Side& side, const std::vector<quant::RoundingItem>&) const;
  void note_task_gradients();
  void round(Side& side, nlohmann::ordered_json& report);
  std::vector<quant::RoundingItem> items(const Side& side) const;

  const Recipe& recipe_;
  Curriculum curriculum_;
  std::vector<Side> sides_;
  std::vector<quant::Quantizer*> priced_;
  std::vector<char> touched_;  // of priced_: a task gradient has been seen in this epoch
  bool warm_ = false;          // a step of this epoch was in the warm-up
  std::unique_ptr<optim::Optimizer> optimizer_;  // of priced_
  Index tail_steps_ = 0;
  double entropy_price_ = 0;  // rises to the recipe's
};

/// Bytes that a model needs besides the codes of its weights: per output channel
/// a multiplier and an offset, per range a scale, 4 bytes each.
Index overhead_bytes(const std::vector<quant::Quantizer*>& weights);

}  // namespace fraqat::run
