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
/// candidate's scale, exactly.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct LevelScale {
  static constexpr std::string_view name = "level_scale";
  quant::Coding coding;
  quant::Widths widths;
  Tensor table = {}, at = {};
  quant::Neighbours near = {};

  Tensor forward(const Tensor& bits, const Tensor& scales) {
    table = scales;
    near = quant::neighbours(widths, static_cast<double>(bits[0]));
    at = Tensor({table.dim(1)});
    const bool up = near.way > 0.5;
    const double from = steps(up ? near.above() : near.below), way = near.way - (up ? 1 : 0);
    const double factor = from / quant::level_steps(coding, near.bits);
    for (Index r = 0; r < at.size(); ++r)
      at[r] = static_cast<Real>(static_cast<double>(scale(up ? near.above() : near.below, r)) *
                                std::exp(way * log_ratio(r)) * factor);
    return at;
  }

  std::array<Tensor, 2> backward(const Tensor& dy, Needs<2>) const {
    Tensor dscale(table.shape(), Real(0));
    const double gap = widths[near.above()] - widths[near.below];
    double db = 0;
    for (Index r = 0; r < at.size(); ++r) {
      const double log_gradient = static_cast<double>(dy[r]) * static_cast<double>(at[r]);
      const auto add = [&](int j, double share) {
        dscale[j * at.size() + r] +=
            static_cast<Real>(log_gradient * share / static_cast<double>(scale(j, r)));
      };
      add(near.below, 1 - near.way);
      if (near.above() != near.below) add(near.above(), near.way);
      const double rise = gap > 0 ? log_ratio(r) / gap : 0;
      db += log_gradient *
            (rise - quant::level_slope(coding, near.bits) / quant::level_steps(coding, near.bits));
    }
    return {Tensor({1}, static_cast<Real>(db)), dscale};
  }

 private:
  Real scale(int j, Index row) const { return table[j * table.dim(1) + row]; }
  double steps(int j) const { return quant::level_steps(coding, widths[j]); }

  /// log(alpha_above / alpha_below)
  double log_ratio(Index row) const {
    return std::log(static_cast<double>(scale(near.above(), row)) * steps(near.above()) /
                    (static_cast<double>(scale(near.below, row)) * steps(near.below)));
  }
};

}  // namespace

Var level_scale(const Var& bits, const Var& scale, quant::Coding coding,
                const quant::Widths& widths) {
  check(bits.shape() == Shape({1}), "[level_scale] one bit-width wanted: got shape ", bits.shape(),
        "; expected [1]");
  check(scale.value().rank() == 2 && scale.value().dim(0) == widths.count(),
        "[level_scale] one range for each width and row: got ", scale.shape(), "; expected [",
        widths.count(), ", rows]");
  for (const Real s : scale.value().span())
    check(s > 0 && std::isfinite(s), "[level_scale] a range collapsed: got scale ", s,
          "; expected a positive number; try a smaller rate or clip, a smaller range rate, or "
          "another range policy");
  return apply(LevelScale{coding, widths}, bits, scale);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
