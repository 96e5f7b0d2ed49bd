#include "core/broadcast.hpp"
#include "core/ops.hpp"

/// y = a - b, element by element, the operands broadcast.
///
///   dL/da = dL/dy      dL/db = -dL/dy   (each summed to the shape of its operand)
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Sub {
  static constexpr std::string_view name = "sub";
  Shape a_shape = {}, b_shape = {};

  Tensor forward(const Tensor& a, const Tensor& b) {
    a_shape = a.shape();
    b_shape = b.shape();
    return map_broadcast(
        name, [](Real u, Real v) { return u - v; }, a, b);
  }

  std::array<Tensor, 2> backward(const Tensor& dy, Needs<2> needs) const {
    std::array<Tensor, 2> gradients;
    if (needs[0]) gradients[0] = sum_to(a_shape, dy);
    if (needs[1])
      gradients[1] = sum_to(
          b_shape, [](Real d) { return -d; }, dy);
    return gradients;
  }
};

}  // namespace

Var sub(const Var& a, const Var& b) { return apply(Sub{}, a, b); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
