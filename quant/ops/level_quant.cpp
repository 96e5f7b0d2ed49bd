#include <algorithm>
#include <cmath>

#include "core/kernels/kernels.hpp"
#include "quant/ops.hpp"
#include "quant/ops/row_chunks.hpp"

/// y = s c,   c = clamp(rne(x / s), lo - z, hi - z),   z = clamp(rne(zero), lo, hi),
///
/// lo and hi being the whole steps among n(b), the real number of them.  A zero near n(b) may
/// round to a step that is not among them; 0 has to be a code all the same.  Straight
/// through, the rounding error of the codes and of the ends taken as constants
/// (u = x / s, inside = lo - z <= u <= hi - z, A and B the sums of dL/dy above and below):
///
///   dL/dx    = dL/dy [inside]
///   dL/ds    = sum dL/dy (c - u [inside])
///   dL/dzero = -s (A + B)
///   dL/db    = s n'(b) (A - B - (A + B) z / n)      natural: A alone in place of A - B;
///              where every row has a b of its own, that row's
///
/// With s = alpha / n(b), as level_scale has it, what is clipped stays at alpha
/// whatever b is: the two parts of its gradient to b cancel, up to the rounding of the end.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct LevelQuant {
  static constexpr std::string_view name = "level_quant";
  quant::Coding coding;
  Tensor x = {}, scale = {}, zero = {}, bits = {};
  const kernels::Table::Levels& kernel = kernels::active().levels;

  void describe(Attributes& a) const {
    check(bits.size() == 1, "[level_quant] levels of each row have no codes in common: got ",
          bits.size(), " bit-widths; expected one; try freezing the bits first");
    const quant::Grid codes = grid(0);
    Tensor zeros(zero.shape());
    for (Index row = 0; row < zeros.size(); ++row) zeros[row] = zero_code(row, codes);
    a("levels", codes.count());
    a("lo", codes.lo);
    a("hi", codes.hi);
    a("step", codes.step);
    a("scale", scale);
    a("zero", zeros);
  }

  Tensor forward(const Tensor& input, const Tensor& scales, const Tensor& zeros,
                 const Tensor& widths) {
    x = input;
    scale = scales;
    zero = zeros;
    bits = widths;
    Tensor y(x.shape());
    chunks().for_each([&](Index row, Index begin, Index n, Index) {
      kernel.forward(level(row), false, x.data() + begin, y.data() + begin, n);
    });
    return y;
  }

  std::array<Tensor, 4> backward(const Tensor& dy, Needs<4>) const {
    const RowChunks pieces = chunks();
    Tensor dx(x.shape()), sums({pieces.tasks(), 3});
    pieces.for_each([&](Index row, Index begin, Index n, Index task) {
      kernels::LevelSums sum{};
      kernel.backward(level(row), false, x.data() + begin, dy.data() + begin, dx.data() + begin, n,
                      sum);
      Real* to = sums.data() + task * 3;
      to[0] = sum.slope;
      clipped(begin, n, dy, dx, to + 1);
    });
    Tensor dscale(scale.shape()), dzero(zero.shape()), dbits(bits.shape());
    double db = 0;
    for (Index row = 0; row < pieces.rows; ++row) {
      double slope = 0, above = 0, below = 0;
      for (Index t = row * pieces.per_row(); t < (row + 1) * pieces.per_row(); ++t) {
        slope += static_cast<double>(sums[t * 3]);
        above += static_cast<double>(sums[t * 3 + 1]);
        below += static_cast<double>(sums[t * 3 + 2]);
      }
      const auto s = static_cast<double>(scale[row]);
      dscale[row] = static_cast<Real>(slope);
      dzero[row] = static_cast<Real>(-s * (above + below));
      db += s * end_slope(row, above, below);
      if (bits.size() == 1 && row + 1 < pieces.rows) continue;
      dbits[bits.size() == 1 ? 0 : row] = static_cast<Real>(db);
      db = 0;
    }
    return {dx, dscale, dzero, dbits};
  }

 private:
  RowChunks chunks() const { return {x.size(), scale.size()}; }
  double width(Index row) const { return static_cast<double>(bits[bits.size() == 1 ? 0 : row]); }

  quant::Grid grid(Index row) const { return quant::level_grid(coding, width(row)); }

  Real zero_code(Index row, const quant::Grid& codes) const {
    return std::clamp(quant::round_even(zero[row]), static_cast<Real>(codes.lo),
                      static_cast<Real>(codes.hi));
  }

  kernels::Level level(Index row) const {
    const quant::Grid codes = grid(row);
    const Real z = zero_code(row, codes);
    return {scale[row], static_cast<Real>(codes.lo) - z, static_cast<Real>(codes.hi) - z, 1};
  }

  /// d(sum of the clipped codes, each times its dL/dy) / db
  double end_slope(Index row, double above, double below) const {
    const double rise = quant::level_slope(coding, width(row));
    const double low_end = coding == quant::Coding::natural ? 0 : below;
    const double middle = static_cast<double>(zero_code(row, grid(row))) * (above + below) /
                          quant::level_steps(coding, width(row));
    return rise * (above - low_end - middle);
  }

  /// The sums of dL/dy above and below the ends: where dx is not dy.  0 is a code, so
  /// that the sign of x tells which end.
  void clipped(Index begin, Index n, const Tensor& dy, const Tensor& dx, Real* to) const {
    constexpr Index lanes = 16;  // joined in order: the same number however it is computed
    Real all[lanes] = {}, up[lanes] = {};
    for (Index i = begin; i < begin + n; i += lanes)
      for (Index lane = 0; lane < std::min(lanes, begin + n - i); ++lane) {
        const Real rest = dy[i + lane] - dx[i + lane];
        all[lane] += rest;
        up[lane] += x[i + lane] > 0 ? rest : Real(0);
      }
    to[0] = to[1] = 0;
    for (Index lane = 0; lane < lanes; ++lane) {
      to[0] += up[lane];
      to[1] += all[lane] - up[lane];
    }
  }
};

}  // namespace

Var level_quant(const Var& x, const Var& scale, const Var& zero, const Var& bits,
                quant::Coding coding) {
  const Index rows = scale.value().size();
  check(scale.value().rank() == 1 && zero.shape() == scale.shape() &&
            (rows == 1 || (rows > 0 && x.value().rank() > 0 && x.value().dim(0) == rows)),
        "[level_quant] rows differ: got scale ", scale.shape(), " and zero ", zero.shape(),
        " for x of ", x.shape(), "; expected both [1] or one for each of the first dimension");
  check(bits.shape() == Shape({1}) || bits.shape() == Shape({rows}),
        "[level_quant] one bit-width wanted: got shape ", bits.shape(), "; expected ",
        rows == 1 ? Shape({1}) : Shape({rows}));
  for (const Real b : bits.value().span())
    check(b >= quant::min_bits && b <= quant::max_bits,
          "[level_quant] bit-width out of range: got ", b, "; expected ", quant::min_bits, " to ",
          quant::max_bits);
  return apply(LevelQuant{coding}, x, scale, zero, bits);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
