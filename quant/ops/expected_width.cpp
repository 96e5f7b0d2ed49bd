#include "quant/ops.hpp"

/// b = sum_j p_j width_j, in every row.      dL/dp_j = dL/db width_j.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct ExpectedWidth {
  static constexpr std::string_view name = "expected_width";
  quant::Widths widths;
  Shape shape = {};

  Tensor forward(const Tensor& p) {
    shape = p.shape();
    const Index count = widths.count();
    Tensor b({p.size() / count}, Real(0));
    for (Index i = 0; i < p.size(); ++i) b[i / count] += p[i] * Real(width(i));
    return b;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    Tensor dp(shape);
    for (Index i = 0; i < dp.size(); ++i) dp[i] = dy[i / widths.count()] * Real(width(i));
    return {dp};
  }

 private:
  int width(Index i) const { return widths[static_cast<int>(i % widths.count())]; }
};

}  // namespace

Var expected_width(const Var& p, const quant::Widths& widths) {
  const bool fits = p.shape() == Shape({widths.count()}) ||
                    (p.value().rank() == 2 && p.shape()[1] == widths.count());
  check(fits, "[expected_width] one weight for each width: got ", p.shape(), "; expected [",
        widths.count(), "]");
  return apply(ExpectedWidth{widths}, p);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
