#include <cmath>

#include "core/mean_loss.hpp"

/// L = (1 / N) sum over all i of t[i] (log t[i] - x[i]), N the size of the batch
/// (axis 0): for rows of log-probabilities x, the Kullback-Leibler divergence of
/// their distributions from those of t.  Where t is 0 the term is 0.
///
///   dL/dx[i] = -t[i] / N
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct KlDiv {
  static constexpr std::string_view name = "kl_div";

  static Index count(const Shape& x) { return x[0]; }
  static Real value(Real x, Real t) { return t == 0 ? Real(0) : t * (std::log(t) - x); }
  static Real slope(Real, Real t) { return -t; }
};

}  // namespace

Var kl_div(const Var& log_probabilities, const Tensor& targets) {
  check(log_probabilities.value().rank() > 0,
        "[kl_div] no batch axis: got a scalar; expected [N, ...]");
  return mean_loss(KlDiv{}, log_probabilities, targets);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
