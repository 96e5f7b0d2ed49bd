#include <algorithm>
#include <cmath>

#include "core/mean_loss.hpp"

/// L = (scale / n) sum over all i of f(x[i] - t[i]),
///
///   f(d) = d^2 / 2  where |d| < delta,   delta (|d| - delta / 2)  elsewhere
///
///   dL/dx[i] = (scale / n) min(max(x[i] - t[i], -delta), delta)
///
/// (Huber, 1964).  smooth_l1_loss is the one with delta = beta, scale = 1 / beta.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Huber {
  static constexpr std::string_view name = "huber_loss";
  Real delta, scale;

  void describe(Attributes& a) const {
    a("delta", delta);
    a("scale", scale);
  }

  static Index count(const Shape& x) { return x.size(); }

  Real value(Real x, Real t) const {
    const Real d = std::abs(x - t);
    return scale * (d < delta ? d * d / 2 : delta * (d - delta / 2));
  }

  Real slope(Real x, Real t) const { return scale * std::clamp(x - t, -delta, delta); }
};

}  // namespace

Var huber_loss(const Var& x, const Tensor& targets, Real delta) {
  check(delta > 0, "[huber_loss] delta is not positive: got ", delta, "; expected more than 0");
  return mean_loss(Huber{delta, 1}, x, targets);
}

Var smooth_l1_loss(const Var& x, const Tensor& targets, Real beta) {
  check(beta > 0, "[smooth_l1_loss] beta is not positive: got ", beta,
        "; expected more than 0; try l1_loss");
  return mean_loss(Huber{beta, 1 / beta}, x, targets);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
