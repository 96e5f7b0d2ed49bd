#include "quant/ops.hpp"

/// b = sum_j p_j width_j.      dL/dp_j = dL/db width_j.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct ExpectedWidth {
  static constexpr std::string_view name = "expected_width";
  quant::Widths widths;

  Tensor forward(const Tensor& p) const {
    Tensor b({1}, Real(0));
    for (Index j = 0; j < p.size(); ++j) b[0] += p[j] * Real(widths[static_cast<int>(j)]);
    return b;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    Tensor dp({widths.count()});
    for (int j = 0; j < widths.count(); ++j) dp[j] = dy[0] * Real(widths[j]);
    return {dp};
  }
};

}  // namespace

Var expected_width(const Var& p, const quant::Widths& widths) {
  check(p.shape() == Shape({widths.count()}), "[expected_width] one weight for each width: got ",
        p.shape(), "; expected [", widths.count(), "]");
  return apply(ExpectedWidth{widths}, p);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
