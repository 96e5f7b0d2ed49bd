#include "quant/candidates.hpp"

#include <algorithm>
#include <cmath>

namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

/// partial[task, j, kind] summed over every `group` consecutive tasks, as [j, task / group].
Tensor add_up(const Tensor& partial, Index kind, const Shape& shape, Index group) {
  const Index count = partial.dim(1), groups = partial.dim(0) / group;
  Tensor total(shape);
  for (Index j = 0; j < count; ++j)
    for (Index g = 0; g < groups; ++g) {
      double sum = 0;
      for (Index t = g * group; t < (g + 1) * group; ++t)
        sum += static_cast<double>(partial[(t * count + j) * Candidates::kinds + kind]);
      total[j * groups + g] = static_cast<Real>(sum);
    }
  return total;
}

}  // namespace

void Candidates::describe(Attributes& a) const {
  Tensor scales({rows()}), zeros({rows()});
  for (Index row = 0; row < rows(); ++row) {
    const Index at = one_hot(row) * rows() + row;
    scales[row] = scale[at];
    zeros[row] = quant::round_even(zero[at]);
  }
  if (p.rank() == 1) {
    const quant::Grid grid = grid_at(one_hot(0));
    a("bits", options.widths[static_cast<int>(one_hot(0))]);
    a("lo", grid.lo);
    a("hi", grid.hi);
    a("step", grid.step);
  } else {
    describe_rows(a);
  }
  a("scale", scales);
  a("zero", zeros);
}

void Candidates::describe_rows(Attributes& a) const {
  Tensor bits({rows()}), lo({rows()}), hi({rows()}), step({rows()});
  for (Index row = 0; row < rows(); ++row) {
    const quant::Grid grid = grid_at(one_hot(row));
    bits[row] = static_cast<Real>(options.widths[static_cast<int>(one_hot(row))]);
    lo[row] = static_cast<Real>(grid.lo);
    hi[row] = static_cast<Real>(grid.hi);
    step[row] = static_cast<Real>(grid.step);
  }
  a("bits", bits);
  a("lo", lo);
  a("hi", hi);
  a("step", step);
}

/// The candidate that `row` uses.
Index Candidates::one_hot(Index row) const {
  Index at = 0;
  for (Index j = 1; j < count(); ++j)
    if (weight(j, row) > weight(at, row)) at = j;
  check(weight(at, row) == 1,
        "[fake_quant] a mixture of bit-widths has no codes: got a largest weight of ",
        weight(at, row), "; expected 1; try freezing the bits first");
  return at;
}

bool Candidates::one_in_force() const {
  for (Index row = 0; row < p.size() / count(); ++row) {
    Index used = 0;
    for (Index j = 0; j < count(); ++j) used += weight(j, row) != 0;
    if (used != 1) return false;
  }
  return true;
}

kernels::Level Candidates::level(Index j, Index row) const {
  const quant::Grid grid = grid_at(j);
  const Real z = quant::round_even(zero[j * rows() + row]);
  return {scale[j * rows() + row],
          static_cast<Real>(grid.lo) - z,
          static_cast<Real>(grid.hi) - z,
          weight(j, row),
          grid.step == 2,
          options.relu};
}

void Candidates::quantize(Index row, const Real* from, Real* to, Index n) const {
  bool add = false;
  for (Index j = 0; j < count(); ++j) {
    if (weight(j, row) == 0) continue;
    kernel.forward(level(j, row), add, from, to, n);
    add = true;
  }
  if (!add) std::fill_n(to, n, Real(0));
}

void Candidates::backward(Index row, const Real* x, const Real* dy, Real* dx, Index n, bool with_p,
                          Tensor& sums, Index task) const {
  bool add = false;
  const auto visit = [&](Index j, bool in_force) {
    const bool asked = with_p && j >= options.first && j < options.last;
    kernels::LevelSums sum{};
    if (in_force || asked) {
      Real* at = in_force ? dx : nullptr;
      kernel.backward(level(j, row), add, x, dy, at, n, sum);
      add |= at != nullptr;
    }
    Real* to = sums.data() + (task * count() + j) * kinds;
    to[0] = asked ? sum.value : Real(0);
    to[1] = in_force ? sum.slope : Real(0);
    to[2] = in_force ? sum.zero : Real(0);
  };
  for (const bool in_force : {false, true})  // the last may write over dy
    for (Index j = 0; j < count(); ++j)
      if ((weight(j, row) != 0) == in_force) visit(j, in_force);
  if (dx && !add) std::fill_n(dx, n, Real(0));
}

std::array<Tensor, 3> Candidates::gradients(const Tensor& sums, bool with_p) const {
  const Index group = sums.dim(0) / rows();
  return {with_p ? add_up_weights(sums) : Tensor(), add_up(sums, 1, scale.shape(), group),
          add_up(sums, 2, zero.shape(), group)};
}

/// dL/dp: over all rows, or of each.
Tensor Candidates::add_up_weights(const Tensor& sums) const {
  if (p.rank() == 1) return add_up(sums, 0, p.shape(), sums.dim(0));
  const Tensor by_width = add_up(sums, 0, {count(), rows()}, sums.dim(0) / rows());
  Tensor dp(p.shape());
  for (Index row = 0; row < rows(); ++row)
    for (Index j = 0; j < count(); ++j) dp[row * count() + j] = by_width[j * rows() + row];
  return dp;
}

void check_candidates(const Shape& x, const Var& p, const Var& scale, const Var& zero,
                      const FakeQuantOptions& options) {
  const Index count = options.widths.count();
  const bool by_row = p.value().rank() == 2;
  check(p.shape() == Shape({count}) || (by_row && p.shape()[1] == count),
        "[fake_quant] one weight for each candidate width: got p of ", p.shape(), "; expected [",
        count, "]");
  check(scale.value().rank() == 2 && scale.value().dim(0) == count && zero.shape() == scale.shape(),
        "[fake_quant] one range for each width and row: got scale ", scale.shape(), " and zero ",
        zero.shape(), "; expected both [", count, ", rows]");
  const Index rows = scale.value().dim(1);
  check(rows == 1 || (rows > 0 && x.rank() > 0 && x[0] == rows), "[fake_quant] rows differ: got ",
        rows, " ranges for x of ", x, "; expected 1 or one for each of the first dimension");
  check(!by_row || p.shape()[0] == rows, "[fake_quant] rows differ: got p of ", p.shape(), " with ",
        rows, " ranges; expected one for each row of p");
  check(!options.relu || options.coding != quant::Coding::symmetric,
        "[fake_quant] relu of a tensor that is coded as a weight: got ", options.tensor,
        "; expected an activation");
  check(options.first >= 0 && options.first <= options.last && options.last <= count,
        "[fake_quant] no such candidates: got [", options.first, ", ", options.last,
        "); expected a part of [0, ", count, ")");
  for (const Real s : scale.value().span())
    check(s > 0 && std::isfinite(s), "[fake_quant] the range of ", options.tensor,
          " collapsed: got scale ", s,
          "; expected a positive number; try a smaller rate or clip, a smaller range rate, or "
          "another range policy");
  for (const Real z : zero.value().span())
    check(std::isfinite(z), "[fake_quant] the range of ", options.tensor,
          " collapsed: got zero-point ", z,
          "; expected a number; try a smaller rate or clip, a smaller range rate, or another "
          "range policy");
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
