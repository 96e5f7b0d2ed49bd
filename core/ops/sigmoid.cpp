#include "core/elementwise.hpp"
#include "core/logistic.hpp"
#include "core/ops.hpp"

/// y = 1 / (1 + e^-x), element by element.      dL/dx = dL/dy y (1 - y)
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Sigmoid {
  static constexpr std::string_view name = "sigmoid";
  Tensor y = {};  // saved: the derivative is made of it

  Tensor forward(const Tensor& x) {
    y = map([](Real v) { return logistic(v); }, x);
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {map([](Real d, Real v) { return d * (v * (1 - v)); }, dy, y)};
  }
};

}  // namespace

Var sigmoid(const Var& x) { return apply(Sigmoid{}, x); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
