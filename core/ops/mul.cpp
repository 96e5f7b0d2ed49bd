#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y = a b, element by element; b may have one element, which then scales a.
///
///   dL/da = dL/dy b      dL/db = dL/dy a   (summed, if b is one element)
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Mul {
  static constexpr std::string_view name = "mul";
  Tensor a = {}, b = {};

  Tensor forward(const Tensor& first, const Tensor& second) {
    a = first;
    b = second;
    return product(a, b);
  }

  std::array<Tensor, 2> backward(const Tensor& dy, Needs<2> needs) const {
    std::array<Tensor, 2> gradients;
    if (needs[0]) gradients[0] = product(dy, b);
    if (needs[1]) gradients[1] = a.shape() == b.shape() ? product(dy, a) : dot(dy, a);
    return gradients;
  }

 private:
  static Tensor product(const Tensor& x, const Tensor& y) {
    if (x.shape() == y.shape()) return map([](Real u, Real v) { return u * v; }, x, y);
    return map([factor = y.item()](Real v) { return v * factor; }, x);
  }

  Tensor dot(const Tensor& x, const Tensor& y) const {
    return Tensor(b.shape(), sum_of([](Real u, Real v) { return u * v; }, x, y));
  }
};

}  // namespace

Var mul(const Var& a, const Var& b) {
  check(a.shape() == b.shape() || b.value().size() == 1, "[mul] shapes differ: got ", a.shape(),
        " and ", b.shape(), "; expected equal shapes or a second operand of one element");
  return apply(Mul{}, a, b);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
