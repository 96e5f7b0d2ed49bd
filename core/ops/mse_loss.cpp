#include "core/mean_loss.hpp"

/// L = (1 / n) sum over all i of (x[i] - t[i])^2.
///
///   dL/dx[i] = 2 (x[i] - t[i]) / n
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Mse {
  static constexpr std::string_view name = "mse_loss";

  static Index count(const Shape& x) { return x.size(); }
  static Real value(Real x, Real t) { return (x - t) * (x - t); }
  static Real slope(Real x, Real t) { return 2 * (x - t); }
};

}  // namespace

Var mse_loss(const Var& x, const Tensor& targets) { return mean_loss(Mse{}, x, targets); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
