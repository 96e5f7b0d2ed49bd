#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y = max(x, 0), element by element; a NaN stays one.
///
///   dL/dx = dL/dy  where x > 0,   0 elsewhere (at 0 too)
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Relu {
  static constexpr std::string_view name = "relu";
  Tensor y = {};  // saved instead of x, which may then die: y > 0 where x > 0

  Tensor forward(const Tensor& x) {
    y = map([](Real v) { return v <= 0 ? Real(0) : v; }, x);
    return y;
  }

  std::array<Tensor, 1> backward(Tensor dy, Needs<1>) const {
    return {map_over([](Real d, Real v) { return v > 0 ? d : Real(0); }, std::move(dy), y)};
  }
};

}  // namespace

Var relu(const Var& x) { return apply(Relu{}, x); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
