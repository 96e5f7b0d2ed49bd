#pragma once

#include "optim/state.hpp"

namespace fraqat::optim {

struct PlateauOptions {
  double base_rate = 0.1;
  bool higher_is_better = false;  // accuracy; otherwise a loss
  double factor = 0.1;            // of the rate, each time it is reduced
  Index patience = 10;            // measurements without improvement that are borne
  double threshold = 1e-4;        // what counts as improvement ...
  bool absolute = false;          // ... as a part of the best so far, or by itself
  Index cooldown = 0;             // measurements after a reduction that are not held against it
  double min_rate = 0;
};

/// A learning rate that falls when a metric stops improving.  It depends on what
/// was measured, so unlike a Schedule it has state: measure() once an epoch.
///
/// A metric is better than the best so far if it is lower (or higher) by more
/// than threshold |best|, or than threshold if `absolute`, both as floats; one that
/// is not finite is never better.  After more than `patience` measurements in a row
/// that are not, the rate is reduced:
///
///   rate = max(min_rate, base_rate * factor^reductions)
class Plateau {
 public:
  explicit Plateau(const PlateauOptions& options);

  double rate() const;
  void measure(double metric);

  /// With the options all there is to resume.
  void visit_state(const StateVisitor& visit);

 private:
  bool better(double metric) const;

  PlateauOptions options_;
  Tensor best_;        // as it is saved: rounded to float
  Tensor improved_;    // measurements that were better, the first included
  Tensor waited_;      // measurements since then, or since the reduction
  Tensor resting_;     // measurements left of the cooldown
  Tensor reductions_;  // each a whole number but for best_
};

}  // namespace fraqat::optim
