#include <algorithm>
#include <cmath>

#include "core/kernels/kernels.hpp"
#include "core/parallel.hpp"
#include "quant/ops.hpp"

/// y = sum_j p_j Q_j(x),   Q_j(x) = s_j c_j(x),   c_j = clamp(rne(x / s_j), lo_j - z_j, hi_j -
/// z_j),   z_j = rne(zero_j).
///
/// Rounding has no useful derivative; it is passed straight through (Bengio et
/// al., 2013), the ends of the clamp not (u = x / s_j, inside = lo <= u + z <= hi):
///
///   dL/dx      = sum_j p_j dL/dy [inside_j]
///   dL/dp_j    = sum   dL/dy Q_j(x)                      =: D_j
///   dL/ds_j    = p_j sum dL/dy (c_j - u [inside_j])      (LSQ, Esser et al., 2020)
///   dL/dzero_j = -p_j s_j sum dL/dy [not inside_j]       (LSQ+, Bhalgat et al., 2020)
///
/// All candidates are computed in one pass over x, block by block.  Sums run
/// over fixed chunks, which are added up in index order in double.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

constexpr Index chunk = 1 << 14;  // elements of one task
constexpr Index kinds = 3;        // of sums: for p, scale and zero

struct FakeQuant {
  static constexpr std::string_view name = "fake_quant";
  FakeQuantOptions options;
  Tensor x = {}, p = {}, scale = {}, zero = {};
  const kernels::Table::Levels& kernel = kernels::active().levels;

  /// Attributes of the candidate in force; only a one-hot choice has them.
  void describe(Attributes& a) const {
    const auto j = static_cast<int>(std::max_element(p.data(), p.data() + p.size()) - p.data());
    check(p[j] == 1, "[fake_quant] a mixture of bit-widths has no codes; freeze the bits first");
    const quant::Grid grid = quant::grid_of(options.coding, options.widths[j]);
    Tensor scales({rows()}), zeros({rows()});
    std::copy_n(scale.data() + j * rows(), rows(), scales.data());
    std::transform(zero.data() + j * rows(), zero.data() + (j + 1) * rows(), zeros.data(),
                   [](Real z) { return quant::round_even(z); });
    a("bits", options.widths[j]);
    a("lo", grid.lo);
    a("hi", grid.hi);
    a("step", grid.step);
    a("scale", scales);
    a("zero", zeros);
  }

  Tensor forward(const Tensor& input, const Tensor& weights, const Tensor& scales,
                 const Tensor& zeros) {
    x = input;
    p = weights;
    scale = scales;
    zero = zeros;
    Tensor y(x.shape());
    for_each_chunk([&](Index row, Index begin, Index n, Index) {
      bool add = false;
      for (Index j = 0; j < p.size(); ++j) {
        if (p[j] == 0) continue;
        kernel.forward(level(j, row), add, x.data() + begin, y.data() + begin, n);
        add = true;
      }
      if (!add) std::fill_n(y.data() + begin, n, Real(0));
    });
    return y;
  }

  std::array<Tensor, 4> backward(const Tensor& dy, Needs<4> needs) const {
    const Index count = p.size();
    Tensor dx = needs[0] ? Tensor(x.shape()) : Tensor();
    Tensor sums({tasks(), count, kinds});
    for_each_chunk([&](Index row, Index begin, Index n, Index task) {
      bool add = false;
      for (Index j = 0; j < count; ++j) {
        const bool asked = needs[1] && j >= options.first && j < options.last;
        kernels::LevelSums sum{};
        if (p[j] != 0 || asked) {
          Real* at = needs[0] && p[j] != 0 ? dx.data() + begin : nullptr;
          kernel.backward(level(j, row), add, x.data() + begin, dy.data() + begin, at, n, sum);
          add |= at != nullptr;
        }
        Real* to = sums.data() + (task * count + j) * kinds;
        to[0] = asked ? sum.value : Real(0);
        to[1] = p[j] != 0 ? sum.slope : Real(0);
        to[2] = p[j] != 0 ? sum.zero : Real(0);
      }
      if (needs[0] && !add) std::fill_n(dx.data() + begin, n, Real(0));
    });
    return {dx, needs[1] ? add_up(sums, 0, p.shape(), tasks()) : Tensor(),
            needs[2] ? add_up(sums, 1, scale.shape(), tasks() / rows()) : Tensor(),
            needs[3] ? add_up(sums, 2, zero.shape(), tasks() / rows()) : Tensor()};
  }

 private:
  Index rows() const { return scale.dim(1); }
  Index row_length() const { return x.size() / rows(); }
  Index row_chunks() const { return (row_length() + chunk - 1) / chunk; }
  Index tasks() const { return rows() * row_chunks(); }

  kernels::Level level(Index j, Index row) const {
    const quant::Grid grid = quant::grid_of(options.coding, options.widths[static_cast<int>(j)]);
    const Real z = quant::round_even(zero[j * rows() + row]);
    return {scale[j * rows() + row], static_cast<Real>(grid.lo) - z, static_cast<Real>(grid.hi) - z,
            p[j], grid.step == 2};
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
    check(s > 0 && std::isfinite(s), "[fake_quant] the range of ", options.tensor,
          " collapsed: got scale ", s,
          "; expected a positive number; try a smaller rate or clip, a smaller range rate, or "
          "another range policy");
  for (const Real z : zero.value().span())
    check(std::isfinite(z), "[fake_quant] the range of ", options.tensor,
          " collapsed: got zero-point ", z,
          "; expected a number; try a smaller rate or clip, a smaller range rate, or another "
          "range policy");
  return apply(FakeQuant{options}, x, p, scale, zero);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
