#pragma once

#include <span>

#include "quant/range.hpp"

/// What range policies are made of.
namespace fraqat::inline FRAQAT_PRECISION::quant {

/// A part of the number line; 0 is always inside, since padding and ReLU need it
/// exactly.
struct Span {
  Real low = 0, high = 0;

  Span operator*(Real f) const { return {low * f, high * f}; }

  /// Widened by another.
  Span& operator+=(const Span& other);
};

/// What x covers; a NaN covers nothing.
Span span_of(std::span<const Real> x);

struct Affine {
  Real scale, zero;
};

/// Scale and zero-point that make `grid` cover `span`; without `affine` the
/// zero-point is 0 and the larger side decides.
Affine cover(Span span, Grid grid, bool affine);

/// Scales and zero-points for every candidate width and row.
struct RangeTable {
  explicit RangeTable(const RangeOptions& options);

  void set(int j, Index row, Affine range);
  Grid grid(int j) const { return grid_of(options.coding, options.widths[j]); }

  RangeOptions options;
  Var scale, zero;
};

/// Finds the range of the numbers x on a grid.
using Fit = Affine (*)(std::span<const Real> x, Grid grid, const RangeOptions& options);

Affine least_squares(std::span<const Real> x, Grid grid, const RangeOptions& options);
Affine inner_percentile(std::span<const Real> x, Grid grid, const RangeOptions& options);
Affine least_divergence(std::span<const Real> x, Grid grid, const RangeOptions& options);

/// What calibration has seen: all of a weight, of an activation up to 2^18 numbers.  Each batch
/// gives some 2^14, evenly spaced; of more than there is room for, all are as likely to be among
/// them (Vitter, 1985, algorithm R), and the same in every run.
class Sample {
 public:
  explicit Sample(const RangeOptions& options)
      : rows_(options.rows), whole_(options.fresh || rows_ > 1) {}

  void add(const Tensor& x);

  /// Fits every width and row of `table`, and forgets the numbers.
  void fit(RangeTable& table, Fit fit);

 private:
  void keep(Real number);
  std::span<const Real> row(Index r) const;

  Index rows_;
  bool whole_;              // a weight, the same in every batch
  std::uint64_t seen_ = 0;  // of one row
  std::vector<Real> numbers_;
};

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
