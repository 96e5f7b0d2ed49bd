#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y = x min(max(x + 3, 0), 6) / 6, element by element.
///
///   dL/dx = 0 where x < -3,   dL/dy (2 x + 3) / 6 up to x = 3,   dL/dy above
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Hardswish {
  static constexpr std::string_view name = "hardswish";
  Tensor x = {};

  Tensor forward(const Tensor& input) {
    x = input;
    return map([](Real v) { return v <= -3 ? Real(0) : v >= 3 ? v : v * (v + 3) / 6; }, x);
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {
        map([](Real d, Real v) { return v < -3   ? Real(0)
                                        : v <= 3 ? d * ((2 * v + 3) / 6)
                                                 : d; },
            dy, x)};
  }
};

}  // namespace

Var hardswish(const Var& x) { return apply(Hardswish{}, x); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
