#include "core/broadcast.hpp"
#include "core/ops.hpp"

/// y = the largest of x over some of its dimensions, or all; a NaN wins.
///
///   dL/dx = dL/dy / (how many x are equal to y)  where x = y,   0 elsewhere
///
/// NaN where y is NaN.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Max {
  static constexpr std::string_view name = "max";
  Reduction over;
  Tensor x = {}, y = {};  // y with its joined dimensions as 1

  void describe(Attributes& a) const { over.describe(a); }

  Tensor forward(const Tensor& input) {
    x = input;
    y = fold<Largest>(
        over.shape, over.kept, [](Real v) { return v; }, rounded, x);
    return y.reshape(over.result);
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    const auto equal = [](Real v, Real largest) { return Real(v == largest); };
    const Tensor ties = fold<Added>(over.shape, over.kept, equal, rounded, x, y);
    const Tensor share = map([](Real d, Real n) { return d / n; }, dy.reshape(over.kept), ties);
    return {map_to(
        over.shape, [](Real v, Real largest, Real s) { return Real(v == largest) * s; }, x, y,
        share)};
  }

 private:
  static Real rounded(double value) { return static_cast<Real>(value); }
};

}  // namespace

Var max(const Var& x, const Axes& axes, bool keepdim) {
  return apply(Max{{"max", x.shape(), axes, keepdim}}, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
