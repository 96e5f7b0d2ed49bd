#include <cmath>

#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y = |x|, element by element.
///
///   dL/dx = dL/dy  where x > 0,   -dL/dy  where x < 0,   0 at 0
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Abs {
  static constexpr std::string_view name = "abs";
  Tensor x = {};

  Tensor forward(const Tensor& input) {
    x = input;
    return map([](Real v) { return std::abs(v); }, x);
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {map([](Real d, Real v) { return v > 0 ? d : v < 0 ? -d : Real(0); }, dy, x)};
  }
};

}  // namespace

Var abs(const Var& x) { return apply(Abs{}, x); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
