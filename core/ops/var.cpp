#include "core/broadcast.hpp"
#include "core/ops.hpp"

/// y = sum of (x - m)^2 over some dimensions of x, or all, / (n - c): m the mean and n the
/// number of the elements in one sum, c = 1 if unbiased, else 0.
///
///   dL/dx = dL/dy 2 (x - m) / (n - c), stretched to x
///
/// The mean itself has no part in it: the sum of x - m is zero.  Two passes, mean
/// first, so that a large mean does not eat the digits of a small variance.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Variance {
  static constexpr std::string_view name = "var";
  Reduction over;
  VarianceOptions options;
  Tensor x = {}, center = {};

  void describe(Attributes& a) const {
    over.describe(a);
    a("unbiased", options.unbiased);
  }

  Tensor forward(const Tensor& input) {
    x = input;
    const auto mean = [n = double(over.count)](double sum) { return static_cast<Real>(sum / n); };
    const auto share = [n = divisor()](double sum) { return static_cast<Real>(sum / n); };
    center = fold<Added>(
        over.shape, over.kept, [](Real v) { return v; }, mean, x);
    const auto square = [](Real v, Real m) { return (v - m) * (v - m); };
    return fold<Added>(over.shape, over.kept, square, share, x, center).reshape(over.result);
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    const auto slope = [scale = Real(2 / divisor())](Real d, Real v, Real m) {
      return d * (scale * (v - m));
    };
    return {map_to(over.shape, slope, dy.reshape(over.kept), x, center)};
  }

 private:
  double divisor() const { return double(over.count - (options.unbiased ? 1 : 0)); }
};

}  // namespace

Var var(const Var& x, const Axes& axes, const VarianceOptions& options) {
  const Reduction over("var", x.shape(), axes, options.keepdim);
  check(over.count > 1 || !options.unbiased, "[var] too few elements: got ", over.count,
        " of shape ", x.shape(), "; expected at least 2, or biased");
  return apply(Variance{over, options}, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
