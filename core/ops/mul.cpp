#include "core/broadcast.hpp"
#include "core/ops.hpp"

/// y = a b, element by element, the operands broadcast.
///
///   dL/da = dL/dy b      dL/db = dL/dy a   (each summed to the shape of its operand)
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Mul {
  static constexpr std::string_view name = "mul";
  Tensor a = {}, b = {};

  Tensor forward(const Tensor& first, const Tensor& second) {
    a = first;
    b = second;
    return map_broadcast(
        name, [](Real u, Real v) { return u * v; }, a, b);
  }

  std::array<Tensor, 2> backward(const Tensor& dy, Needs<2> needs) const {
    const auto product = [](Real d, Real v) { return d * v; };
    std::array<Tensor, 2> gradients;
    if (needs[0]) gradients[0] = sum_to(a.shape(), product, dy, b);
    if (needs[1]) gradients[1] = sum_to(b.shape(), product, dy, a);
    return gradients;
  }
};

}  // namespace

Var mul(const Var& a, const Var& b) { return apply(Mul{}, a, b); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
