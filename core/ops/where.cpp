#include "core/broadcast.hpp"
#include "core/ops.hpp"

/// y = a where the condition is not 0, else b; all three broadcast.
///
///   dL/da = dL/dy  where the condition is not 0,   0 elsewhere
///   dL/db = dL/dy  where it is 0,                  0 elsewhere   (each summed to its shape)
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Where {
  static constexpr std::string_view name = "where";
  Tensor condition;
  Shape a_shape = {}, b_shape = {};

  void describe(Attributes& attributes) const { attributes("condition", condition); }

  Tensor forward(const Tensor& a, const Tensor& b) {
    a_shape = a.shape();
    b_shape = b.shape();
    const auto choice = [](Real c, Real u, Real v) { return c != 0 ? u : v; };
    return map_broadcast(name, choice, condition, a, b);
  }

  std::array<Tensor, 2> backward(const Tensor& dy, Needs<2> needs) const {
    const auto chosen = [](Real d, Real c) { return c != 0 ? d : Real(0); };
    const auto rejected = [](Real d, Real c) { return c != 0 ? Real(0) : d; };
    std::array<Tensor, 2> gradients;
    if (needs[0]) gradients[0] = sum_to(a_shape, chosen, dy, condition);
    if (needs[1]) gradients[1] = sum_to(b_shape, rejected, dy, condition);
    return gradients;
  }
};

}  // namespace

Var where(const Tensor& condition, const Var& a, const Var& b) {
  check(condition.size() > 0, "[where] an empty tensor: got a condition of ", condition.shape(),
        "; expected one element at least");
  return apply(Where{condition}, a, b);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
