#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y = min(max(x, 0), 6), element by element; a NaN stays one.
///
///   dL/dx = dL/dy  where 0 < x < 6,   0 elsewhere (at both ends too)
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Relu6 {
  static constexpr std::string_view name = "relu6";
  Tensor y = {};  // saved instead of x, which may then die: 0 < y < 6 where 0 < x < 6

  Tensor forward(const Tensor& x) {
    y = map([](Real v) { return v <= 0 ? Real(0) : v >= 6 ? Real(6) : v; }, x);
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {map([](Real d, Real v) { return v > 0 && v < 6 ? d : Real(0); }, dy, y)};
  }
};

}  // namespace

Var relu6(const Var& x) { return apply(Relu6{}, x); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
