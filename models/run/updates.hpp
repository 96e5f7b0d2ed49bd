#pragma once

#include <memory>

#include "models/run/recipe.hpp"
#include "nn/module.hpp"
#include "optim/optimizer.hpp"

namespace fraqat::run {

/// The optimizer of the weights and the one of the learned ranges, each with its
/// own rate: ranges have no decay.
class Updates {
 public:
  Updates(nn::Module& model, const Recipe& recipe, const Training& training, Index steps);

  /// Moves weights and ranges; `at` counts the steps of the stretch.
  void step(Index at);

  double rate(Index at) const { return weight_rate_.rate(at); }

  /// All there is to resume, besides the number of steps done.
  void visit_state(const optim::StateVisitor& visit);
  Index steps() const { return weights_->steps(); }
  void set_steps(Index steps);

 private:
  Training training_;
  optim::Schedule weight_rate_, range_rate_;
  std::unique_ptr<optim::Optimizer> weights_, ranges_;  // the second if there are learned ranges
};

}  // namespace fraqat::run
