#include "core/elementwise.hpp"
#include "core/logistic.hpp"
#include "core/ops.hpp"

/// y = x s(x), s(x) = 1 / (1 + e^-x), element by element (also called swish).
///
///   dL/dx = dL/dy s(x) (1 + x s(-x))
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Silu {
  static constexpr std::string_view name = "silu";
  Tensor x = {};

  Tensor forward(const Tensor& input) {
    x = input;
    return map([](Real v) { return v * logistic(v); }, x);
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {map([](Real d, Real v) { return d * (logistic(v) * (1 + v * logistic(-v))); }, dy, x)};
  }
};

}  // namespace

Var silu(const Var& x) { return apply(Silu{}, x); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
