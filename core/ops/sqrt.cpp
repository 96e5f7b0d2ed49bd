#include <cmath>

#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y = x^(1/2), element by element; NaN below 0.
///
///   dL/dx = dL/dy / (2 y)   (infinite at 0)
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Sqrt {
  static constexpr std::string_view name = "sqrt";
  Tensor y = {};  // saved: the derivative is made of it

  Tensor forward(const Tensor& x) {
    y = map([](Real v) { return std::sqrt(v); }, x);
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {map([](Real d, Real v) { return d / (2 * v); }, dy, y)};
  }
};

}  // namespace

Var sqrt(const Var& x) { return apply(Sqrt{}, x); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
