#include "core/broadcast.hpp"
#include "core/ops.hpp"

/// y = the larger of a and b, element by element, the operands broadcast; a NaN wins.
///
///   dL/da = dL/dy  where a > b,   half of it where a = b,   0 elsewhere
///   dL/db likewise                    (each summed to the shape of its operand)
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Maximum {
  static constexpr std::string_view name = "maximum";
  Tensor a = {}, b = {};

  Tensor forward(const Tensor& first, const Tensor& second) {
    a = first;
    b = second;
    return map_broadcast(
        name, [](Real u, Real v) { return u > v || u != u ? u : v; }, a, b);
  }

  std::array<Tensor, 2> backward(const Tensor& dy, Needs<2> needs) const {
    const auto share = [](Real d, Real own, Real other) {
      if (other != other && own == own) return Real(0);
      return own == other ? d / 2 : own < other ? Real(0) : d;
    };
    std::array<Tensor, 2> gradients;
    if (needs[0]) gradients[0] = sum_to(a.shape(), share, dy, a, b);
    if (needs[1]) gradients[1] = sum_to(b.shape(), share, dy, b, a);
    return gradients;
  }
};

}  // namespace

Var maximum(const Var& a, const Var& b) { return apply(Maximum{}, a, b); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
