#include <cmath>

#include "core/broadcast.hpp"
#include "core/ops.hpp"

/// y = x^e, element by element: e one number, or a tensor that broadcasts with x.
///
///   dL/dx = dL/dy e x^(e-1)     (0 where e = 0)
///   dL/de = dL/dy y log x       (0 where x = 0 and e >= 0)
///
/// each summed to the shape of its operand.  All x and e are allowed, with the
/// answers of std::pow: a negative x gives NaN unless e is whole, and where e is a
/// tensor that wants a gradient its share of that is NaN for every negative x.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

Real slope(Real d, Real x, Real e) { return e == 0 ? Real(0) : d * e * std::pow(x, e - 1); }

struct PowNumber {
  static constexpr std::string_view name = "pow";
  Real exponent;
  Tensor x = {};

  void describe(Attributes& a) const { a("exponent", exponent); }

  Tensor forward(const Tensor& input) {
    x = input;
    return map([e = exponent](Real v) { return std::pow(v, e); }, x);
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {map([e = exponent](Real d, Real v) { return slope(d, v, e); }, dy, x)};
  }
};

struct Pow {
  static constexpr std::string_view name = "pow";
  Tensor x = {}, exponent = {};

  Tensor forward(const Tensor& base, const Tensor& e) {
    x = base;
    exponent = e;
    return map_broadcast(
        name, [](Real v, Real w) { return std::pow(v, w); }, x, e);
  }

  std::array<Tensor, 2> backward(const Tensor& dy, Needs<2> needs) const {
    const auto log_slope = [](Real d, Real v, Real e) {
      return v == 0 && e >= 0 ? Real(0) : d * (std::pow(v, e) * std::log(v));
    };
    std::array<Tensor, 2> gradients;
    if (needs[0]) gradients[0] = sum_to(x.shape(), slope, dy, x, exponent);
    if (needs[1]) gradients[1] = sum_to(exponent.shape(), log_slope, dy, x, exponent);
    return gradients;
  }
};

}  // namespace

Var pow(const Var& x, Real exponent) { return apply(PowNumber{exponent}, x); }

Var pow(const Var& x, const Var& exponent) { return apply(Pow{}, x, exponent); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
