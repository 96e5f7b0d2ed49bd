#include <algorithm>
#include <cmath>

#include "core/parallel.hpp"
#include "quant/ops.hpp"

/// y = sum_j p_j Q_j(x),   Q_j(x) = s_j c_j(x),   c_j = clamp(rne(x / s_j), lo_j - z_j, hi_j -
/// z_j).
///
/// Rounding has no useful derivative; it is passed straight through (Bengio et
/// al., 2013), the ends of the clamp not (u = x / s_j, inside = lo <= u + z <= hi):
///
///   dL/dx   = sum_j p_j dL/dy [inside_j]
///   dL/dp_j = sum   dL/dy Q_j(x)                      =: D_j
///   dL/ds_j = p_j sum dL/dy (c_j - u [inside_j])      (LSQ, Esser et al., 2020)
///
/// All candidates are computed in one pass over x, block by block.  Sums run
/// over fixed chunks, which are added up in index order in double.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

constexpr Index chunk = 1 << 14;  // elements of one task
constexpr Index lanes = 16;       // independent sums, so that they vectorise

/// What one candidate is within one row.
struct Level {
  Real scale, lo, hi, p;
};

struct Sums {
  Real D = 0, S = 0;
};

void mix(const Level& level, bool add, const Real* __restrict__ x, Real* __restrict__ y, Index n) {
  const auto [scale, lo, hi, p] = level;
  if (add)
    for (Index i = 0; i < n; ++i) y[i] += p * (scale * quant::centred_code(x[i], scale, lo, hi));
  else if (p == 1)
    for (Index i = 0; i < n; ++i) y[i] = scale * quant::centred_code(x[i], scale, lo, hi);
  else
    for (Index i = 0; i < n; ++i) y[i] = p * (scale * quant::centred_code(x[i], scale, lo, hi));
}

template <bool with_scale>
Sums sums_of(const Level& level, const Real* __restrict__ x, const Real* __restrict__ dy, Index n) {
  const auto [scale, lo, hi, p] = level;
  Real D[lanes] = {}, S[lanes] = {};
  const auto add = [&](Index i, Index lane) {
    const Real u = x[i] / scale;
    const Real code = quant::centred_code(x[i], scale, lo, hi);
    D[lane] += dy[i] * code;
    if constexpr (with_scale) S[lane] += dy[i] * (u >= lo && u <= hi ? code - u : code);
  };
  Index i = 0;
  for (; i + lanes <= n; i += lanes)
    for (Index lane = 0; lane < lanes; ++lane) add(i + lane, lane);
  for (Index lane = 0; i < n; ++i, ++lane) add(i, lane);
  for (Index width = lanes / 2; width; width /= 2)
    for (Index lane = 0; lane < width; ++lane) {
      D[lane] += D[lane + width];
      S[lane] += S[lane + width];
    }
  return {D[0] * scale, S[0] * p};
}

void pass_inside(const Level& level, bool add, const Real* __restrict__ x,
                 const Real* __restrict__ dy, Real* __restrict__ dx, Index n) {
  const auto [scale, lo, hi, p] = level;
  for (Index i = 0; i < n; ++i) {
    const Real u = x[i] / scale;
    const Real g = u >= lo && u <= hi ? p * dy[i] : Real(0);
    dx[i] = add ? dx[i] + g : g;
  }
}

struct FakeQuant {
  static constexpr std::string_view name = "fake_quant";
  FakeQuantOptions options;
  Tensor zero;
  Tensor x = {}, p = {}, scale = {};

  /// Attributes of the candidate in force; only a one-hot choice has them.
  void describe(Attributes& a) const {
    const auto j = static_cast<int>(std::max_element(p.data(), p.data() + p.size()) - p.data());
    check(p[j] == 1, "[fake_quant] a mixture of bit-widths has no codes; freeze the bits first");
    const quant::Grid grid = quant::grid_of(options.coding, options.widths[j]);
    Tensor scales({rows()}), zeros({rows()});
    std::copy_n(scale.data() + j * rows(), rows(), scales.data());
    std::copy_n(zero.data() + j * rows(), rows(), zeros.data());
    a("bits", options.widths[j]);
    a("lo", grid.lo);
    a("hi", grid.hi);
    a("scale", scales);
    a("zero", zeros);
  }

  Tensor forward(const Tensor& input, const Tensor& weights, const Tensor& scales) {
    x = input;
    p = weights;
    scale = scales;
    Tensor y(x.shape());
    for_each_chunk([&](Index row, Index begin, Index n, Index) {
      bool add = false;
      for (Index j = 0; j < p.size(); ++j) {
        if (p[j] == 0) continue;
        mix(level(j, row), add, x.data() + begin, y.data() + begin, n);
        add = true;
      }
      if (!add) std::fill_n(y.data() + begin, n, Real(0));
    });
    return y;
  }

  std::array<Tensor, 3> backward(const Tensor& dy, Needs<3> needs) const {
    std::array<Tensor, 3> gradients;
    if (needs[0]) gradients[0] = gradient_of_x(dy);
    if (!needs[1] && !needs[2]) return gradients;
    const Index count = p.size();
    Tensor partial({tasks(), count, 2});
    for_each_chunk([&](Index row, Index begin, Index n, Index task) {
      for (Index j = 0; j < count; ++j) {
        const bool scales = needs[2] && p[j] != 0;
        const bool asked = needs[1] && j >= options.first && j < options.last;
        Sums sums;
        if (scales)
          sums = sums_of<true>(level(j, row), x.data() + begin, dy.data() + begin, n);
        else if (asked)
          sums = sums_of<false>(level(j, row), x.data() + begin, dy.data() + begin, n);
        partial[(task * count + j) * 2] = asked ? sums.D : Real(0);
        partial[(task * count + j) * 2 + 1] = scales ? sums.S : Real(0);
      }
    });
    if (needs[1]) gradients[1] = add_up(partial, 0, p.shape(), tasks());
    if (needs[2]) gradients[2] = add_up(partial, 1, scale.shape(), tasks() / rows());
    return gradients;
  }

 private:
  Index rows() const { return scale.dim(1); }
  Index row_length() const { return x.size() / rows(); }
  Index row_chunks() const { return (row_length() + chunk - 1) / chunk; }
  Index tasks() const { return rows() * row_chunks(); }

  Level level(Index j, Index row) const {
    const quant::Grid grid = quant::grid_of(options.coding, options.widths[static_cast<int>(j)]);
    const Real z = zero[j * rows() + row];
    return {scale[j * rows() + row], static_cast<Real>(grid.lo) - z, static_cast<Real>(grid.hi) - z,
            p[j]};
  }

  /// f(row, first element, count, task) over all of x.
  template <class F>
  void for_each_chunk(F&& f) const {
    const auto task = [&](Index t) {
      const Index row = t / row_chunks(), offset = t % row_chunks() * chunk;
      f(row, row * row_length() + offset, std::min(chunk, row_length() - offset), t);
    };
    if (x.size() > chunk) return parallel_for(tasks(), task);
    for (Index t = 0; t < tasks(); ++t) task(t);
  }

  Tensor gradient_of_x(const Tensor& dy) const {
    Tensor dx(x.shape());
    for_each_chunk([&](Index row, Index begin, Index n, Index) {
      bool add = false;
      for (Index j = 0; j < p.size(); ++j) {
        if (p[j] == 0) continue;
        pass_inside(level(j, row), add, x.data() + begin, dy.data() + begin, dx.data() + begin, n);
        add = true;
      }
      if (!add) std::fill_n(dx.data() + begin, n, Real(0));
    });
    return dx;
  }

  /// partial[task, j, which] summed over every `group` consecutive tasks, as [j, task / group].
  static Tensor add_up(const Tensor& partial, Index which, const Shape& shape, Index group) {
    const Index count = partial.dim(1), groups = partial.dim(0) / group;
    Tensor total(shape);
    for (Index j = 0; j < count; ++j)
      for (Index g = 0; g < groups; ++g) {
        double sum = 0;
        for (Index t = g * group; t < (g + 1) * group; ++t)
          sum += static_cast<double>(partial[(t * count + j) * 2 + which]);
        total[j * groups + g] = static_cast<Real>(sum);
      }
    return total;
  }
};

}  // namespace

Var fake_quant(const Var& x, const Var& p, const Var& scale, const Tensor& zero,
               const FakeQuantOptions& options) {
  const Index count = options.widths.count();
  check(p.shape() == Shape({count}), "[fake_quant] one weight for each candidate width: got p of ",
        p.shape(), "; expected [", count, "]");
  check(scale.value().rank() == 2 && scale.value().dim(0) == count && zero.shape() == scale.shape(),
        "[fake_quant] one range for each width and row: got scale ", scale.shape(), " and zero ",
        zero.shape(), "; expected both [", count, ", rows]");
  const Index rows = scale.value().dim(1);
  check(rows == 1 || (rows > 0 && x.value().rank() > 0 && x.value().dim(0) == rows),
        "[fake_quant] rows differ: got ", rows, " ranges for x of ", x.shape(),
        "; expected 1 or one for each of the first dimension");
  check(options.first >= 0 && options.first <= options.last && options.last <= count,
        "[fake_quant] no such candidates: got [", options.first, ", ", options.last,
        "); expected a part of [0, ", count, ")");
  for (const Real s : scale.value().span())
    check(s > 0 && std::isfinite(s), "[fake_quant] a range collapsed: got scale ", s,
          "; expected a positive number; try a smaller range rate or another range policy");
  return apply(FakeQuant{options, zero}, x, p, scale);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
