#include <cmath>
#include <numbers>

#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y = x P(x), element by element, P the distribution function of the standard normal
/// numbers, exactly or in a form made of tanh:
///
///   erf:   P(x) = erfc(-x / sqrt 2) / 2             P'(x) = e^(-x^2 / 2) / sqrt(2 pi)
///   tanh:  P(x) = (1 + tanh u) / 2                  P'(x) = (1 - tanh^2 u) u' / 2
///          u = sqrt(2 / pi) (x + 0.044715 x^3)      u' = sqrt(2 / pi) (1 + 3 0.044715 x^2)
///
///   dL/dx = dL/dy (P(x) + x P'(x))
///
/// erfc, not 1 + erf, because that would cancel far below 0.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

constexpr Real scale = std::numbers::sqrt2_v<Real> * std::numbers::inv_sqrtpi_v<Real>;
constexpr Real cubic = Real(0.044715);

struct Erf {
  static Real value(Real x) { return std::erfc(-x / std::numbers::sqrt2_v<Real>) / 2; }
  static Real slope(Real x) { return scale / 2 * std::exp(-x * x / 2); }
};

struct Tanh {
  static Real bend(Real x) { return std::tanh(scale * (x + cubic * x * x * x)); }
  static Real value(Real x) { return (1 + bend(x)) / 2; }
  static Real slope(Real x) {
    const Real t = bend(x), rest = 1 - t * t;
    if (rest == 0) return 0;  // x^2 may be infinite there
    return rest * scale * (1 + 3 * cubic * x * x) / 2;
  }
};

template <class P>
struct Gelu {
  static constexpr std::string_view name = "gelu";
  Tensor x = {};

  void describe(Attributes& a) const {
    a("form", std::string(std::is_same_v<P, Erf> ? "erf" : "tanh"));
  }

  Tensor forward(const Tensor& input) {
    x = input;
    return map([](Real v) { return v * P::value(v); }, x);
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {map([](Real d, Real v) { return d * (P::value(v) + v * P::slope(v)); }, dy, x)};
  }
};

}  // namespace

Var gelu(const Var& x, GeluForm form) {
  return form == GeluForm::erf ? apply(Gelu<Erf>{}, x) : apply(Gelu<Tanh>{}, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
