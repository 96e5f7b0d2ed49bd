#pragma once

#include <array>

#include "core/kernels/kernels.hpp"
#include "quant/ops.hpp"

namespace fraqat::inline FRAQAT_PRECISION::op {

/// sum_j p_j Q_j of numbers in memory, and its gradients (fake_quant.cpp has the formulas):
/// what fake_quant and batch_norm_fake_quant do to a piece of a tensor while it is in the cache.
struct Candidates {
  static constexpr Index kinds = 3;  // of sums: for p, scale and zero

  FakeQuantOptions options;
  Tensor p = {}, scale = {}, zero = {};
  const kernels::Table::Levels& kernel = kernels::active().levels;

  void set(const Tensor& weights, const Tensor& scales, const Tensor& zeros) {
    p = weights;
    scale = scales;
    zero = zeros;
  }

  Index count() const { return p.dim(-1); }
  Index rows() const { return scale.dim(1); }

  /// Attributes of the candidate in force; only a one-hot choice has them.  Where rows
  /// choose by themselves, each is a list with one number for each row.
  void describe(Attributes& a) const;

  /// True where every row uses one candidate, so that dx may take the place of dy.
  bool one_in_force() const;

  /// to[n] of from[n], which lies in `row`; these are not the same.
  void quantize(Index row, const Real* from, Real* to, Index n) const;

  /// A place for what every task adds up: [tasks, count(), kinds].
  Tensor sums(Index tasks) const { return Tensor({tasks, count(), kinds}); }

  /// dx[n] (null: not asked for; it may be dy where one is in force), and what these n numbers
  /// add up to as the sums of `task`; with_p: those for p, too.
  void backward(Index row, const Real* x, const Real* dy, Real* dx, Index n, bool with_p,
                Tensor& sums, Index task) const;

  /// The gradients to p, scale and zero from the sums of all tasks, of which every row has as
  /// many, in index order.
  std::array<Tensor, 3> gradients(const Tensor& sums, bool with_p) const;

 private:
  Real weight(Index j, Index row) const { return p[p.rank() == 1 ? j : row * count() + j]; }
  quant::Grid grid_at(Index j) const {
    return quant::grid_of(options.coding, options.widths[static_cast<int>(j)]);
  }
  kernels::Level level(Index j, Index row) const;
  Index one_hot(Index row) const;
  void describe_rows(Attributes& a) const;
  Tensor add_up_weights(const Tensor& sums) const;
};

/// Refuses, in fake_quant's name, weights and ranges that are not for x, and collapsed ranges.
void check_candidates(const Shape& x, const Var& p, const Var& scale, const Var& zero,
                      const FakeQuantOptions& options);

}  // namespace fraqat::inline FRAQAT_PRECISION::op
