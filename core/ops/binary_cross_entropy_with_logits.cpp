#include <algorithm>
#include <cmath>

#include "core/logistic.hpp"
#include "core/mean_loss.hpp"

/// L = -(1 / n) sum over all i of t log p + (1 - t) log(1 - p),   p = 1 / (1 + e^-z).
///
/// With log p = z - log(1 + e^z) and log(1 - p) = -log(1 + e^z) a term becomes
///
///   log(1 + e^z) - t z = max(z, 0) + log(1 + e^-|z|) - t z
///
/// which no z makes overflow.
///
///   dL/dz[i] = (p[i] - t[i]) / n
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct BinaryCrossEntropyWithLogits {
  static constexpr std::string_view name = "binary_cross_entropy_with_logits";

  static Index count(const Shape& z) { return z.size(); }

  static Real value(Real z, Real t) {
    return std::max(z, Real(0)) + std::log1p(std::exp(-std::abs(z))) - t * z;
  }

  static Real slope(Real z, Real t) { return logistic(z) - t; }
};

}  // namespace

Var binary_cross_entropy_with_logits(const Var& logits, const Tensor& targets) {
  for (const Real t : targets.span())
    check(t >= 0 && t <= 1, "[binary_cross_entropy_with_logits] impossible target: got ", t,
          "; expected 0 to 1");
  return mean_loss(BinaryCrossEntropyWithLogits{}, logits, targets);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
