#include <cmath>

#include "quant/ops.hpp"

/// y, and the gradient of strength * sum (x - y)^2 to x, y taken as a constant.
///
///   dL/dy = dL/dy
///   dL/dx = 2 strength (x - y)  where |x - y| <= reach,   0 elsewhere
///
/// A weight near the middle between two codes changes its code in every other
/// step; this draws it to the one it has (Nagel et al., 2022).  One that was
/// clipped by more than half a step is left alone.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Dampen {
  static constexpr std::string_view name = "dampen";
  Tensor reach;
  Real strength;
  Tensor x = {}, y = {};

  void describe(Attributes& a) const { a("strength", strength); }

  Tensor forward(const Tensor& numbers, const Tensor& quantized) {
    x = numbers;
    y = quantized;
    return quantized;
  }

  std::array<Tensor, 2> backward(const Tensor& dy, Needs<2> needs) const {
    if (!needs[0]) return {Tensor(), dy};
    Tensor dx(x.shape());
    const Index length = x.size() / reach.size();
    for (Index i = 0; i < x.size(); ++i) {
      const Real apart = x[i] - y[i];
      dx[i] = std::abs(apart) <= reach[i / length] ? 2 * strength * apart : Real(0);
    }
    return {dx, dy};
  }
};

}  // namespace

Var dampen(const Var& x, const Var& y, const Tensor& reach, Real strength) {
  check(x.shape() == y.shape(), "[dampen] shapes differ: got x ", x.shape(), " and y ", y.shape(),
        "; expected two of one shape");
  check(reach.size() == 1 || (x.shape().rank() > 0 && reach.size() == x.shape()[0]),
        "[dampen] rows differ: got ", reach.size(), " reaches for x of ", x.shape(),
        "; expected 1 or one for each of the first dimension");
  check(strength >= 0 && std::isfinite(strength), "[dampen] strength out of range: got ", strength,
        "; expected a finite number of at least 0");
  return apply(Dampen{reach, strength}, x, y);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
