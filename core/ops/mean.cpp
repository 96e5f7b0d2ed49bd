#include "core/broadcast.hpp"
#include "core/ops.hpp"

/// y = (sum of x over some of its dimensions, or all) / n, n the elements in one sum.
///
///   dL/dx = dL/dy / n, stretched to x
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Mean {
  static constexpr std::string_view name = "mean";
  Reduction over;

  void describe(Attributes& a) const { over.describe(a); }

  Tensor forward(const Tensor& x) const {
    return shares(sum_to(over.kept, x).reshape(over.result));
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {map_to(
        over.shape, [](Real d) { return d; }, shares(dy).reshape(over.kept))};
  }

 private:
  Tensor shares(const Tensor& whole) const {
    return map([n = Real(over.count)](Real v) { return v / n; }, whole);
  }
};

}  // namespace

Var mean(const Var& x, const Axes& axes, bool keepdim) {
  return apply(Mean{{"mean", x.shape(), axes, keepdim}}, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
