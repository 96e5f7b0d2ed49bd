#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y = a + b, element by element; b may have one element, which then shifts a.
///
///   dL/da = dL/dy      dL/db = dL/dy   (summed, if b is one element)
///
/// Both gradients are the same storage: Var::accumulate copies before it adds.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Add {
  static constexpr std::string_view name = "add";
  Shape b_shape = {};

  Tensor forward(const Tensor& a, const Tensor& b) {
    b_shape = b.shape();
    if (a.shape() == b.shape()) return map([](Real u, Real v) { return u + v; }, a, b);
    return map([shift = b.item()](Real v) { return v + shift; }, a);
  }

  std::array<Tensor, 2> backward(const Tensor& dy, Needs<2> needs) const {
    std::array<Tensor, 2> gradients;
    if (needs[0]) gradients[0] = dy;
    if (needs[1])
      gradients[1] =
          dy.shape() == b_shape ? dy : Tensor(b_shape, sum_of([](Real d) { return d; }, dy));
    return gradients;
  }
};

}  // namespace

Var add(const Var& a, const Var& b) {
  check(a.shape() == b.shape() || b.value().size() == 1, "[add] shapes differ: got ", a.shape(),
        " and ", b.shape(), "; expected equal shapes or a second operand of one element");
  return apply(Add{}, a, b);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
