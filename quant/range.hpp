#pragma once

#include <memory>
#include <string_view>

#include "nn/module.hpp"
#include "quant/bits.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// Which part of the number line the codes cover.  There is one range for each
/// candidate width (the best range grows with the width) and each row.
struct Ranges {
  Var scale;    // [J, R], > 0
  Tensor zero;  // [J, R], whole numbers
};

class RangePolicy {
 public:
  virtual ~RangePolicy() = default;
  virtual std::string_view name() const = 0;

  /// Calibration: takes note of x; finish() then sets the ranges.
  virtual void observe(const Tensor& x) = 0;
  virtual void finish() = 0;

  /// The ranges for x: learned ones are on the tape; running ones first take
  /// note of x inside a TrainingStep with noise.
  virtual Ranges ranges(const Tensor& x) = 0;

  /// The learned parameter (log scales); none for measured ranges.
  virtual Var parameter() const { return {}; }

  virtual void visit(nn::Visitor&) = 0;
};

struct RangeOptions {
  Coding coding = Coding::natural;
  Widths widths;
  Index rows = 1;        // 1: per tensor
  bool affine = false;   // codes `natural` with a zero-point, for tensors of both signs
  bool running = false;  // minmax of activations: moving average (momentum 0.1) while training
  bool fresh = false;    // minmax of weights: measured anew at every use
};

/// Smallest and largest number seen, of each row.
std::unique_ptr<RangePolicy> minmax_range(const RangeOptions& options);

/// The range of least mean squared error, by a grid search over fractions of
/// the largest magnitude, on what calibration has seen.
std::unique_ptr<RangePolicy> mse_range(const RangeOptions& options);

/// log s as a parameter (LSQ, Esser et al., 2020, in the log domain), starting
/// from mse.  It has no zero-point: `affine` is an Error.
std::unique_ptr<RangePolicy> learned_range(const RangeOptions& options);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
