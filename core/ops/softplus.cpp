#include <algorithm>
#include <cmath>

#include "core/elementwise.hpp"
#include "core/logistic.hpp"
#include "core/ops.hpp"

/// y = log(1 + e^(beta x)) / beta, element by element; y = x where beta x > threshold.
///
///   dL/dx = dL/dy / (1 + e^(-beta x));   dL/dy where beta x > threshold
///
/// With t = beta x computed as (max(t, 0) + log(1 + e^-|t|)) / beta, which cannot
/// overflow, whatever the threshold.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Softplus {
  static constexpr std::string_view name = "softplus";
  Real beta, threshold;
  Tensor x = {};

  void describe(Attributes& a) const {
    a("beta", beta);
    a("threshold", threshold);
  }

  Tensor forward(const Tensor& input) {
    x = input;
    return map(
        [b = beta, end = threshold](Real v) {
          const Real t = b * v;
          return t > end ? v : (std::max(t, Real(0)) + std::log1p(std::exp(-std::abs(t)))) / b;
        },
        x);
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {map([b = beta, end = threshold](
                    Real d, Real v) { return b * v > end ? d : d * logistic(b * v); },
                dy, x)};
  }
};

}  // namespace

Var softplus(const Var& x, Real beta, Real threshold) {
  check(beta > 0, "[softplus] wrong beta: got ", beta, "; expected a number above 0");
  return apply(Softplus{beta, threshold}, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
