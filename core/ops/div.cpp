#include "core/broadcast.hpp"
#include "core/ops.hpp"

/// y = a / b, element by element, the operands broadcast.
///
///   dL/da = dL/dy / b      dL/db = -dL/dy a / b^2   (each summed to the shape of its operand)
///
/// Division by zero gives what IEEE 754 says: an infinity, or NaN for 0 / 0.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Div {
  static constexpr std::string_view name = "div";
  Tensor a = {}, b = {};

  Tensor forward(const Tensor& first, const Tensor& second) {
    a = first;
    b = second;
    return map_broadcast(
        name, [](Real u, Real v) { return u / v; }, a, b);
  }

  std::array<Tensor, 2> backward(const Tensor& dy, Needs<2> needs) const {
    std::array<Tensor, 2> gradients;
    if (needs[0])
      gradients[0] = sum_to(
          a.shape(), [](Real d, Real v) { return d / v; }, dy, b);
    if (needs[1])
      gradients[1] = sum_to(
          b.shape(), [](Real d, Real u, Real v) { return -d * (u / v / v); }, dy, a, b);
    return gradients;
  }
};

}  // namespace

Var div(const Var& a, const Var& b) { return apply(Div{}, a, b); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
