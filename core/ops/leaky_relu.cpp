#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y = x where x > 0, else slope x, element by element.
///
///   dL/dx = dL/dy  where x > 0,   slope dL/dy elsewhere (at 0 too)
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct LeakyRelu {
  static constexpr std::string_view name = "leaky_relu";
  Real slope;
  Tensor x = {};

  void describe(Attributes& a) const { a("slope", slope); }

  Tensor forward(const Tensor& input) {
    x = input;
    return map([s = slope](Real v) { return v > 0 ? v : s * v; }, x);
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {map([s = slope](Real d, Real v) { return v > 0 ? d : s * d; }, dy, x)};
  }
};

}  // namespace

Var leaky_relu(const Var& x, Real slope) { return apply(LeakyRelu{slope}, x); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
