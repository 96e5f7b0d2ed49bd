#include <algorithm>
#include <cmath>

#include "quant/ops.hpp"

/// The scale at a real width b.  With n(b) the number of steps on the positive side
/// and alpha_j = s_j n(width_j) the ends of two neighbours, f the way between them:
///
///   s = alpha / n(b),   log alpha = (1 - f) log alpha_below + f log alpha_above
///
///   dL/ds_below = dL/ds s (1 - f) / s_below        dL/ds_above = dL/ds s f / s_above
///   dL/db       = sum dL/ds s (log(alpha_above / alpha_below) / gap - n'(b) / n(b))
///
/// It is computed from the nearer of the two, so that at a candidate it is that
/// candidate's scale, exactly.  Where every row has a b of its own, each sum is that row's.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct LevelScale {
  static constexpr std::string_view name = "level_scale";
  quant::Coding coding;
  quant::Widths widths;
  Tensor table = {}, at = {}, bits = {};

  Tensor forward(const Tensor& widths_of_rows, const Tensor& scales) {
    table = scales;
    bits = widths_of_rows;
    at = Tensor({table.dim(1)});
    for (Index r = 0; r < at.size(); ++r) {
      const quant::Neighbours near = neighbours(r);
      const bool up = near.way > 0.5;
      const int nearest = up ? near.above() : near.below;
      const double way = near.way - (up ? 1 : 0);
      const double factor = steps(nearest) / quant::level_steps(coding, near.bits);
      at[r] = static_cast<Real>(static_cast<double>(scale(nearest, r)) *
                                std::exp(way * log_ratio(near, r)) * factor);
    }
    return at;
  }

  std::array<Tensor, 2> backward(const Tensor& dy, Needs<2>) const {
    Tensor dscale(table.shape(), Real(0)), dbits(bits.shape());
    double db = 0;
    for (Index r = 0; r < at.size(); ++r) {
      const quant::Neighbours near = neighbours(r);
      const double gap = widths[near.above()] - widths[near.below];
      const double log_gradient = static_cast<double>(dy[r]) * static_cast<double>(at[r]);
      const auto add = [&](int j, double share) {
        dscale[j * at.size() + r] +=
            static_cast<Real>(log_gradient * share / static_cast<double>(scale(j, r)));
      };
      add(near.below, 1 - near.way);
      if (near.above() != near.below) add(near.above(), near.way);
      const double rise = gap > 0 ? log_ratio(near, r) / gap : 0;
      db += log_gradient *
            (rise - quant::level_slope(coding, near.bits) / quant::level_steps(coding, near.bits));
      if (bits.size() == 1 && r + 1 < at.size()) continue;
      dbits[bits.size() == 1 ? 0 : r] = static_cast<Real>(db);
      db = 0;
    }
    return {dbits, dscale};
  }

 private:
  quant::Neighbours neighbours(Index row) const {
    return quant::neighbours(widths, static_cast<double>(bits[bits.size() == 1 ? 0 : row]));
  }
  Real scale(int j, Index row) const { return table[j * table.dim(1) + row]; }
  double steps(int j) const { return quant::level_steps(coding, widths[j]); }

  /// log(alpha_above / alpha_below)
  double log_ratio(const quant::Neighbours& near, Index row) const {
    return std::log(static_cast<double>(scale(near.above(), row)) * steps(near.above()) /
                    (static_cast<double>(scale(near.below, row)) * steps(near.below)));
  }
};

}  // namespace

Var level_scale(const Var& bits, const Var& scale, quant::Coding coding,
                const quant::Widths& widths) {
  check(scale.value().rank() == 2 && scale.value().dim(0) == widths.count(),
        "[level_scale] one range for each width and row: got ", scale.shape(), "; expected [",
        widths.count(), ", rows]");
  check(bits.shape() == Shape({1}) || bits.shape() == Shape({scale.value().dim(1)}),
        "[level_scale] one bit-width wanted: got shape ", bits.shape(), "; expected ",
        scale.value().dim(1) == 1 ? Shape({1}) : Shape({scale.value().dim(1)}));
  for (const Real s : scale.value().span())
    check(s > 0 && std::isfinite(s), "[level_scale] a range collapsed: got scale ", s,
          "; expected a positive number; try a smaller rate or clip, a smaller range rate, or "
          "another range policy");
  return apply(LevelScale{coding, widths}, bits, scale);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
