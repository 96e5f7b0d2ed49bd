#include <cmath>

#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y = log x, the natural logarithm, element by element.      dL/dx = dL/dy / x
///
/// -infinity at 0, NaN below.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Log {
  static constexpr std::string_view name = "log";
  Tensor x = {};

  Tensor forward(const Tensor& input) {
    x = input;
    return map([](Real v) { return std::log(v); }, x);
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {map([](Real d, Real v) { return d / v; }, dy, x)};
  }
};

}  // namespace

Var log(const Var& x) { return apply(Log{}, x); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
