#pragma once

#include <vector>

#include "core/autograd.hpp"
#include "optim/state.hpp"

namespace fraqat::optim {

struct WeightAverageOptions {
  /// What the average is in its first steps, when it has seen little:
  /// initial: the weights it was made with, which fade at the pace of decay;
  /// corrected: as if there had been nothing before the first update;
  /// warm_up: initial, but with a decay of at most (1 + t) / (10 + t).
  enum class Start { initial, corrected, warm_up };

  double decay = 0.999;
  Start start = Start::corrected;
};

/// The exponential moving average of weights, which evaluates better than the
/// weights do while their rate is high.  The formula is in weight_average.cpp.
///
///   average.update();             after every step
///   {
///     const Averaged inside(average);
///     evaluate(model);            with the average for weights
///   }                             the weights are back
class WeightAverage {
 public:
  explicit WeightAverage(std::vector<Var> parameters, const WeightAverageOptions& options = {});
  WeightAverage(const WeightAverage&) = delete;
  WeightAverage& operator=(const WeightAverage&) = delete;

  /// Takes in the weights as they are now; an Error while they are swapped.
  void update();

  /// Puts the average in the place of the weights, and back; no number is copied.
  void swap_in();
  void swap_out();
  bool swapped() const { return swapped_; }

  /// All there is to resume; an Error while swapped.
  void visit_state(const StateVisitor& visit);

 private:
  double weight_of_newest() const;
  void swap();

  std::vector<Var> parameters_;
  WeightAverageOptions options_;
  std::vector<Tensor> averages_;
  Tensor updates_;  // a whole number
  bool swapped_ = false;
};

/// The average in the place of the weights while this is alive.
class Averaged {
 public:
  explicit Averaged(WeightAverage& average) : average_(average) { average_.swap_in(); }
  ~Averaged() { average_.swap_out(); }
  Averaged(const Averaged&) = delete;
  Averaged& operator=(const Averaged&) = delete;

 private:
  WeightAverage& average_;
};

}  // namespace fraqat::optim
