#pragma once

#include <vector>

#include "models/run/recipe.hpp"
#include "nn/normalisation.hpp"
#include "quant/quantizer.hpp"

namespace fraqat::run {

/// What settles towards the end of a stretch: batch norm keeps its running
/// statistics for the last steps, and weights are drawn to their codes ever more
/// strongly, by damping (1 - cos(pi t)) / 2 at the share t of the steps.  Both end
/// with this.
class LateChanges {
 public:
  LateChanges(nn::Module& model, const Training& training);
  ~LateChanges();
  LateChanges(const LateChanges&) = delete;
  LateChanges& operator=(const LateChanges&) = delete;

  /// `progress` in [0, 1): the share of the steps that are done.
  void before_step(double progress);

  /// No step follows.
  void end() { set(false, 0); }

 private:
  void set(bool frozen, double damping);

  const Training& training_;
  std::vector<nn::BatchNorm*> norms_;
  std::vector<quant::Quantizer*> weights_;
};

}  // namespace fraqat::run
