#include <cmath>

#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y = tanh x, element by element.      dL/dx = dL/dy (1 - y^2)
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Tanh {
  static constexpr std::string_view name = "tanh";
  Tensor y = {};  // saved: the derivative is made of it

  Tensor forward(const Tensor& x) {
    y = map([](Real v) { return std::tanh(v); }, x);
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {map([](Real d, Real v) { return d * (1 - v * v); }, dy, y)};
  }
};

}  // namespace

Var tanh(const Var& x) { return apply(Tanh{}, x); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
