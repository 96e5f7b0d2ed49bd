#pragma once

#include <memory>

#include "models/run/recipe.hpp"
#include "nn/module.hpp"
#include "optim/optimizer.hpp"
#include "optim/plateau.hpp"
#include "optim/weight_average.hpp"

namespace fraqat::run {

/// The optimizer of the weights and the one of the learned ranges, each with its
/// own rate: ranges have no decay.
class Updates {
 public:
  Updates(nn::Module& model, const Recipe& recipe, const Training& training, Index steps);

  /// Moves weights and ranges; `at` counts the steps of the stretch.
  void step(Index at);

  /// The mean loss of an epoch that ended, for the schedule `plateau`.
  void finish_epoch(double loss);

  double rate(Index at) const { return weight_rate_.rate(at) * reduced(); }

  /// While this lives, weights and ranges are their moving averages, if the training has any.
  std::unique_ptr<optim::Averaged> averaged() const;

  /// The averages for good, at the end of the training.
  void settle();

  /// All there is to resume, besides the number of steps done.
  void visit_state(const optim::StateVisitor& visit);
  Index steps() const { return weights_->steps(); }
  void set_steps(Index steps);

 private:
  double reduced() const { return plateau_ ? plateau_->rate() : 1; }

  Training training_;
  optim::Schedule weight_rate_, range_rate_;
  std::unique_ptr<optim::Optimizer> weights_, ranges_;  // the second if there are learned ranges
  std::unique_ptr<optim::Plateau> plateau_;             // a factor of both rates
  std::unique_ptr<optim::WeightAverage> average_;
};

}  // namespace fraqat::run
