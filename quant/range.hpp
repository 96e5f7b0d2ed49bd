#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "nn/module.hpp"
#include "quant/bits.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// Which part of the number line the codes cover.  There is one range for each
/// candidate width (the best range grows with the width) and each row.
struct Ranges {
  Var scale;  // [J, R], > 0
  Var zero;   // [J, R], rounded where it is used
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

  /// The learned parameters (log scales, zero-points); none for measured ranges.
  virtual std::vector<Var> parameters() const { return {}; }

  virtual void visit(nn::Visitor&) = 0;
};

struct RangeOptions {
  Coding coding = Coding::natural;
  Widths widths;
  Index rows = 1;             // 1: per tensor
  bool affine = false;        // codes `natural` with a zero-point, for tensors of both signs
  bool running = false;       // minmax of activations: moving average over batches
  bool fresh = false;         // a weight: all of it is seen, and minmax measures it at every use
  double momentum = 0.1;      // of it; 0: the ends of all calibration batches, for good
  double percentile = 99.99;  // of all numbers, inside the range
  Index elements = 0;         // in a range, a sample's; with them the gradients of learned
                              // ranges are multiplied by 1 / sqrt(elements hi); 0: they are not
};

/// Smallest and largest number seen, of each row, or with `running` a moving average of those of
/// each batch.
std::unique_ptr<RangePolicy> minmax_range(const RangeOptions& options);

// The next three fit every width and row to what calibration has seen.

/// The range of least mean squared error, by a grid search over fractions of
/// the largest magnitude.
std::unique_ptr<RangePolicy> mse_range(const RangeOptions& options);

/// The range of `percentile` percent of the magnitudes; affine, as many at each
/// end outside.
std::unique_ptr<RangePolicy> percentile_range(const RangeOptions& options);

/// The range whose codes tell most about the numbers: the distribution of what
/// they stand for has the least Kullback-Leibler divergence from that of the
/// numbers (TensorRT, Migacz, 2017).
std::unique_ptr<RangePolicy> kl_range(const RangeOptions& options);

/// log s as a parameter (LSQ, Esser et al., 2020, in the log domain), and with
/// `affine` the zero-point, as a share of the codes (LSQ+, Bhalgat et al., 2020);
/// starts from mse.
std::unique_ptr<RangePolicy> learned_range(const RangeOptions& options);

/// The policy called `name`: minmax, percentile, mse, kl or learned.
std::unique_ptr<RangePolicy> make_range(std::string_view name, const RangeOptions& options);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
