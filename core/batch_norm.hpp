#pragma once

#include "core/elementwise.hpp"
#include "core/kernels/kernels.hpp"
#include "core/ops.hpp"

namespace fraqat::inline FRAQAT_PRECISION {

/// 1 / sqrt(variance + epsilon), and that times gamma: per channel.
struct ChannelFactors {
  Tensor inverse, factor;
};
ChannelFactors channel_factors(const Tensor& gamma, const Tensor& variance, Real epsilon);

/// What batch_norm computes with (core/ops/batch_norm.cpp has the formulas), piece by piece,
/// for ops that do more in the same passes over x.
struct ChannelNormalisation {
  Tensor x = {}, shift = {};
  op::BatchNormState used = {};  // the statistics that normalise, not shared with anybody
  ChannelFactors factors = {};

  /// Takes the statistics of the batch, and moves `running` towards them, or else takes `running`.
  void prepare(const Tensor& input, const Tensor& gamma, const Tensor& beta,
               op::BatchNormState& running, const op::BatchNormOptions& options);

  Index channels() const { return x.dim(-1); }
  Index rows() const { return x.size() / channels(); }

  kernels::ChannelScale scale() const {
    return {channels(), used.mean.data(), factors.factor.data(), shift.data()};
  }

  /// Calls body(at, count) for chunks of `count` rows, the first number of which is `at`.
  template <class Body>
  void each_chunk(Body body) const {
    const Index C = channels();
    parallel_chunks(rows(), grain_rows(C),
                    [&](Index begin, Index end) { body(begin * C, end - begin); });
  }

  struct Gradients {
    Tensor x, gamma, beta;  // x: none unless asked for
  };

  /// From the sums over rows of g and, C behind it, of g (x - mean), g being dL/dy as far as it
  /// passes.  That is h, or with `relu` h where the scaled x is positive.  dL/dx is written over h
  /// where nobody else holds it; `batch_statistics`: those in use were the batch's.
  Gradients gradients(const RowSums& sums, Tensor h, bool relu, bool batch_statistics,
                      bool needs_x) const;

 private:
  Tensor input_gradient(Tensor h, const Gradients& sums, bool relu, bool batch_statistics) const;
};

namespace op {

/// Refuses, in batch_norm's name, what cannot be normalised, and channels that differ from x's.
void check_batch_norm(const BatchNormInput& in);
void check_channels(const Shape& x, const Var& gamma, const Var& beta, const BatchNormState& state,
                    Real epsilon);

}  // namespace op

}  // namespace fraqat::inline FRAQAT_PRECISION
