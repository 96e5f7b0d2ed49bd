#include <cmath>

#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y = e^x, element by element.      dL/dx = dL/dy y
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Exp {
  static constexpr std::string_view name = "exp";
  Tensor y = {};  // saved: its own derivative

  Tensor forward(const Tensor& x) {
    y = map([](Real v) { return std::exp(v); }, x);
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {map([](Real d, Real v) { return d * v; }, dy, y)};
  }
};

}  // namespace

Var exp(const Var& x) { return apply(Exp{}, x); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
