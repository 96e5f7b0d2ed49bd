#include <algorithm>

#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y = min(max(x, low), high), element by element.
///
///   dL/dx = dL/dy  where low <= x <= high,   0 elsewhere
///
/// Both ends belong to the pass-through interval, so clip is the gradient that
/// the straight-through estimator of fake_quant borrows.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Clip {
  static constexpr std::string_view name = "clip";
  Real low, high;
  Tensor x = {};  // saved: the gradient asks on which side of the ends x was

  void describe(Attributes& a) const {
    a("low", low);
    a("high", high);
  }

  Tensor forward(const Tensor& input) {
    x = input;
    return map([this](Real v) { return std::min(std::max(v, low), high); }, x);
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {map([this](Real d, Real v) { return low <= v && v <= high ? d : Real(0); }, dy, x)};
  }
};

}  // namespace

Var clip(const Var& x, Real low, Real high) {
  check(low <= high, "[clip] empty interval: got low = ", low, ", high = ", high,
        "; expected low <= high");
  return apply(Clip{low, high}, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
