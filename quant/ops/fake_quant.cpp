#include <algorithm>
#include <cmath>

#include "core/kernels/kernels.hpp"
#include "core/parallel.hpp"
#include "core/windows.hpp"
#include "quant/ops.hpp"

/// y = sum_j p_j Q_j(x),   Q_j(x) = s_j c_j(x),   c_j = clamp(rne(x / s_j), lo_j - z_j, hi_j -
/// z_j),   z_j = rne(zero_j).
///
/// Rounding has no useful derivative; it is passed straight through (Bengio et
/// al., 2013), the ends of the clamp not (u = x / s_j, inside = lo <= u + z <= hi):
///
///   dL/dx      = sum_j p_j dL/dy [inside_j]
///   dL/dp_j    = sum   dL/dy Q_j(x)                      =: D_j   (p[R, J]: over the row)
///   dL/ds_j    = p_j sum dL/dy (c_j - u [inside_j])      (LSQ, Esser et al., 2020)
///   dL/dzero_j = -p_j s_j sum dL/dy [not inside_j]       (LSQ+, Bhalgat et al., 2020)
///
/// With `relu` x is max(x, 0) everywhere above, and dL/dx is 0 where x <= 0: the op behind a
/// relu, without its pass.  All candidates are computed in one pass over x, block by block.  Sums
/// run over fixed chunks, which are added up in index order in double.
///
/// y rises with x, so that the largest y of a window is that of its largest x: with `pool` only
/// these are quantized.  Which x of the window the gradient belongs to is the first whose y is
/// as large; a chunk of the backward pass quantizes its windows again to see, in cache.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

constexpr Index chunk = 1 << 14;  // elements of one task
constexpr Index kinds = 3;        // of sums: for p, scale and zero

struct FakeQuant {
  static constexpr std::string_view name = "fake_quant";
  FakeQuantOptions options;
  std::optional<Windows> windows = {};  // of the pool, each pixel of x in one
  Tensor x = {}, p = {}, scale = {}, zero = {};
  Tensor pooled = {};  // y, where there are windows
  const kernels::Table::Levels& kernel = kernels::active().levels;

  /// Attributes of the candidate in force; only a one-hot choice has them.  Where rows
  /// choose by themselves, each is a list with one number for each row.
  void describe(Attributes& a) const {
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
    if (windows) windows->describe(a);
  }

  Tensor forward(const Tensor& input, const Tensor& weights, const Tensor& scales,
                 const Tensor& zeros) {
    x = input;
    p = weights;
    scale = scales;
    zero = zeros;
    if (windows) return pooled = pooled_numbers();
    Tensor y(x.shape());
    for_each_chunk([&](Index row, Index begin, Index n, Index) {
      quantize(row, x.data() + begin, y.data() + begin, n);
    });
    return y;
  }

  std::array<Tensor, 4> backward(Tensor dy, Needs<4> needs) const {
    Tensor dx;
    if (needs[0]) dx = !windows && dy.unique() && one_in_force() ? dy : Tensor(x.shape());
    Tensor sums({tasks(), count(), kinds});
    Tensor rooms({windows ? thread_count() : 0, chunk + 3 * window_row()});
    for_each_chunk([&](Index row, Index begin, Index n, Index task) {
      const Real* at_dy = dy.data() + begin;
      if (windows) at_dy = unpooled(dy, begin, n, rooms.data() + thread_index() * rooms.dim(1));
      bool add = false;
      const auto visit = [&](Index j, bool in_force) {
        const bool asked = needs[1] && j >= options.first && j < options.last;
        kernels::LevelSums sum{};
        if (in_force || asked) {
          Real* at = needs[0] && in_force ? dx.data() + begin : nullptr;
          kernel.backward(level(j, row), add, x.data() + begin, at_dy, at, n, sum);
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
      if (needs[0] && !add) std::fill_n(dx.data() + begin, n, Real(0));
    });
    return {dx, needs[1] ? add_up_weights(sums) : Tensor(),
            needs[2] ? add_up(sums, 1, scale.shape(), tasks() / rows()) : Tensor(),
            needs[3] ? add_up(sums, 2, zero.shape(), tasks() / rows()) : Tensor()};
  }

 private:
  void quantize(Index row, const Real* from, Real* to, Index n) const {
    bool add = false;
    for (Index j = 0; j < count(); ++j) {
      if (weight(j, row) == 0) continue;
      kernel.forward(level(j, row), add, from, to, n);
      add = true;
    }
    if (!add) std::fill_n(to, n, Real(0));
  }

  PoolRow pool_row() const {
    return {windows->kernel(), x.dim(2), x.dim(3), windows->output()[2], false};
  }
  /// Elements of x, and of y, in a row of windows.
  Index window_row() const { return windows ? windows->kernel() * x.dim(2) * x.dim(3) : 0; }
  Index pooled_row() const { return windows->output()[2] * x.dim(3); }

  /// The largest number of each window, quantized.
  Tensor pooled_numbers() const {
    Tensor y(windows->output());
    const Index grain = windows->grain(), length = pooled_row();
    Tensor rooms({thread_count(), grain * length});
    parallel_chunks(windows->rows(), grain, [&](Index begin, Index end) {
      Real* largest = rooms.data() + thread_index() * grain * length;
      for (Index r = begin; r < end; ++r)
        kernels::active().max_pool.forward(pool_row(), x.data() + r * window_row(),
                                           largest + (r - begin) * length);
      quantize(0, largest, y.data() + begin * length, (end - begin) * length);
    });
    return y;
  }

  /// The gradient to the elements [begin, begin + n) of the tensor that was pooled, in `room`.
  const Real* unpooled(const Tensor& dy, Index begin, Index n, Real* room) const {
    const Index length = window_row(), first = begin / length;
    Real *codes = room, *rows = room + length;
    for (Index r = first; r * length < begin + n; ++r) {
      quantize(0, x.data() + r * length, codes, length);
      kernels::active().max_pool.backward(pool_row(), codes, pooled.data() + r * pooled_row(),
                                          dy.data() + r * pooled_row(),
                                          rows + (r - first) * length);
    }
    return rows + (begin - first * length);
  }

  Index count() const { return p.dim(-1); }
  Index rows() const { return scale.dim(1); }
  Real weight(Index j, Index row) const { return p[p.rank() == 1 ? j : row * count() + j]; }
  /// True where every row uses one candidate, whose dx may then take the place of dy.
  bool one_in_force() const {
    for (Index row = 0; row < p.size() / count(); ++row) {
      Index used = 0;
      for (Index j = 0; j < count(); ++j) used += weight(j, row) != 0;
      if (used != 1) return false;
    }
    return true;
  }

  quant::Grid grid_at(Index j) const {
    return quant::grid_of(options.coding, options.widths[static_cast<int>(j)]);
  }

  /// The candidate that `row` uses.
  Index one_hot(Index row) const {
    Index at = 0;
    for (Index j = 1; j < count(); ++j)
      if (weight(j, row) > weight(at, row)) at = j;
    check(weight(at, row) == 1,
          "[fake_quant] a mixture of bit-widths has no codes; freeze the bits first");
    return at;
  }

  void describe_rows(Attributes& a) const {
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

  Index row_length() const { return x.size() / rows(); }
  Index row_chunks() const { return (row_length() + chunk - 1) / chunk; }
  Index tasks() const { return rows() * row_chunks(); }

  kernels::Level level(Index j, Index row) const {
    const quant::Grid grid = grid_at(j);
    const Real z = quant::round_even(zero[j * rows() + row]);
    return {scale[j * rows() + row],
            static_cast<Real>(grid.lo) - z,
            static_cast<Real>(grid.hi) - z,
            weight(j, row),
            grid.step == 2,
            options.relu};
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

  /// dL/dp: over all rows, or of each.
  Tensor add_up_weights(const Tensor& sums) const {
    if (p.rank() == 1) return add_up(sums, 0, p.shape(), tasks());
    const Tensor by_width = add_up(sums, 0, {count(), rows()}, tasks() / rows());
    Tensor dp(p.shape());
    for (Index row = 0; row < rows(); ++row)
      for (Index j = 0; j < count(); ++j) dp[row * count() + j] = by_width[j * rows() + row];
    return dp;
  }

  /// partial[task, j, which] summed over every `group` consecutive tasks, as [j, task / group].
  static Tensor add_up(const Tensor& partial, Index which, const Shape& shape, Index group) {
    const Index count = partial.dim(1), groups = partial.dim(0) / group;
    Tensor total(shape);
    for (Index j = 0; j < count; ++j)
      for (Index g = 0; g < groups; ++g) {
        double sum = 0;
        for (Index t = g * group; t < (g + 1) * group; ++t)
          sum += static_cast<double>(partial[(t * count + j) * kinds + which]);
        total[j * groups + g] = static_cast<Real>(sum);
      }
    return total;
  }
};

}  // namespace

Var fake_quant(const Var& x, const Var& p, const Var& scale, const Var& zero,
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
  check(rows == 1 || (rows > 0 && x.value().rank() > 0 && x.value().dim(0) == rows),
        "[fake_quant] rows differ: got ", rows, " ranges for x of ", x.shape(),
        "; expected 1 or one for each of the first dimension");
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
  if (!options.pool) return apply(FakeQuant{options}, x, p, scale, zero);
  check(fake_quant_pools(x.shape(), scale.shape(), *options.pool),
        "[fake_quant] cannot pool: got x of ", x.shape(), " with scale ", scale.shape(),
        "; expected windows that tile x, and one range; try max_pool2d behind it");
  for (const Real weight : p.value().span())
    check(weight >= 0, "[fake_quant] a larger x must have no smaller y to be pooled: got weight ",
          weight, " of a width of ", options.tensor, "; expected 0 or more");
  const Windows windows("max_pool2d", x.shape(), *options.pool);
  return apply(FakeQuant{options, windows}, x, p, scale, zero);
}

bool fake_quant_pools(const Shape& x, const Shape& scale, const Pool2dOptions& pool) {
  if (scale.rank() != 2 || scale[1] != 1) return false;
  const Windows windows("max_pool2d", x, pool);
  return windows.tile() && windows.kernel() * x[2] * x[3] <= chunk;
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
