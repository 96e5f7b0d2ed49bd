#include <algorithm>
#include <optional>

#include "core/kernels/kernels.hpp"
#include "core/windows.hpp"
#include "quant/candidates.hpp"
#include "quant/ops/row_chunks.hpp"

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

struct FakeQuant {
  static constexpr std::string_view name = "fake_quant";
  Candidates candidates;
  std::optional<Windows> windows = {};  // of the pool, each pixel of x in one
  Tensor x = {};
  Tensor pooled = {};  // y, where there are windows

  void describe(Attributes& a) const {
    candidates.describe(a);
    if (windows) windows->describe(a);
  }

  Tensor forward(const Tensor& input, const Tensor& p, const Tensor& scale, const Tensor& zero) {
    x = input;
    candidates.set(p, scale, zero);
    if (windows) return pooled = pooled_numbers();
    Tensor y(x.shape());
    chunks().for_each([&](Index row, Index begin, Index n, Index) {
      candidates.quantize(row, x.data() + begin, y.data() + begin, n);
    });
    return y;
  }

  std::array<Tensor, 4> backward(Tensor dy, Needs<4> needs) const {
    Tensor dx;
    if (needs[0])
      dx = !windows && dy.unique() && candidates.one_in_force() ? dy : Tensor(x.shape());
    Tensor sums = candidates.sums(chunks().tasks());
    Tensor rooms({windows ? thread_count() : 0, room()});
    chunks().for_each([&](Index row, Index begin, Index n, Index task) {
      const Real* at_dy = dy.data() + begin;
      if (windows) at_dy = unpooled(dy, begin, n, rooms.data() + thread_index() * rooms.dim(1));
      candidates.backward(row, x.data() + begin, at_dy, needs[0] ? dx.data() + begin : nullptr, n,
                          needs[1], sums, task);
    });
    const auto [dp, dscale, dzero] = candidates.gradients(sums, needs[1]);
    return {dx, dp, dscale, dzero};
  }

 private:
  RowChunks chunks() const { return {x.size(), candidates.rows()}; }

  PoolRow pool_row() const {
    return {windows->kernel(), x.dim(2), x.dim(3), windows->output()[2], false};
  }
  /// Elements of x, and of y, in a row of windows.
  Index window_row() const { return windows ? windows->kernel() * x.dim(2) * x.dim(3) : 0; }
  /// Rows of windows that are quantized at once: enough to make up for the call, and in the
  /// first cache.
  Index rows_quantized() const { return std::max<Index>(1, 4096 / window_row()); }
  Index pooled_row() const { return windows->output()[2] * x.dim(3); }

  /// Numbers that a thread needs for unpooled().
  Index room() const {
    return windows ? RowChunks::chunk + (2 + rows_quantized()) * window_row() : 0;
  }

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
      candidates.quantize(0, largest, y.data() + begin * length, (end - begin) * length);
    });
    return y;
  }

  /// The gradient to the elements [begin, begin + n) of the tensor that was pooled, in `room`.
  const Real* unpooled(const Tensor& dy, Index begin, Index n, Real* room) const {
    const Index length = window_row(), first = begin / length;
    const Index last = (begin + n + length - 1) / length, group = rows_quantized();
    Real *codes = room, *rows = room + group * length;
    for (Index r = first; r < last; ++r) {
      if ((r - first) % group == 0)
        candidates.quantize(0, x.data() + r * length, codes, std::min(group, last - r) * length);
      kernels::active().max_pool.backward(
          pool_row(), codes + (r - first) % group * length, pooled.data() + r * pooled_row(),
          dy.data() + r * pooled_row(), rows + (r - first) * length);
    }
    return rows + (begin - first * length);
  }
};

}  // namespace

Var fake_quant(const Var& x, const Var& p, const Var& scale, const Var& zero,
               const FakeQuantOptions& options) {
  check_candidates(x.shape(), p, scale, zero, options);
  if (!options.pool) return apply(FakeQuant{{options}}, x, p, scale, zero);
  check(fake_quant_pools(x.shape(), scale.shape(), *options.pool),
        "[fake_quant] cannot pool: got x of ", x.shape(), " with scale ", scale.shape(),
        "; expected windows that tile x, and one range; try max_pool2d behind it");
  for (const Real weight : p.value().span())
    check(weight >= 0, "[fake_quant] a larger x must have no smaller y to be pooled: got weight ",
          weight, " of a width of ", options.tensor, "; expected 0 or more");
  const Windows windows("max_pool2d", x.shape(), *options.pool);
  return apply(FakeQuant{{options}, windows}, x, p, scale, zero);
}

bool fake_quant_pools(const Shape& x, const Shape& scale, const Pool2dOptions& pool) {
  if (scale.rank() != 2 || scale[1] != 1) return false;
  const Windows windows("max_pool2d", x, pool);
  return windows.tile() && windows.kernel() * x[2] * x[3] <= RowChunks::chunk;
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
