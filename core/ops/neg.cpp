#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y = -x, element by element.      dL/dx = -dL/dy
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Neg {
  static constexpr std::string_view name = "neg";

  Tensor forward(const Tensor& x) const {
    return map([](Real v) { return -v; }, x);
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {map([](Real d) { return -d; }, dy)};
  }
};

}  // namespace

Var neg(const Var& x) { return apply(Neg{}, x); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
