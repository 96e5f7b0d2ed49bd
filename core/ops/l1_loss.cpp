#include <cmath>

#include "core/mean_loss.hpp"

/// L = (1 / n) sum over all i of |x[i] - t[i]|.
///
///   dL/dx[i] = sign(x[i] - t[i]) / n,   0 where they are equal
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct L1 {
  static constexpr std::string_view name = "l1_loss";

  static Index count(const Shape& x) { return x.size(); }
  static Real value(Real x, Real t) { return std::abs(x - t); }
  static Real slope(Real x, Real t) { return Real(x > t) - Real(x < t); }
};

}  // namespace

Var l1_loss(const Var& x, const Tensor& targets) { return mean_loss(L1{}, x, targets); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
