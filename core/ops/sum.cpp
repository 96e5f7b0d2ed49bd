#include "core/broadcast.hpp"
#include "core/ops.hpp"

/// y = sum of x over some of its dimensions, or all.      dL/dx = dL/dy, stretched to x.
///
/// Summed within fixed chunks, and these joined pairwise in index order.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Sum {
  static constexpr std::string_view name = "sum";
  Reduction over;

  void describe(Attributes& a) const { over.describe(a); }

  Tensor forward(const Tensor& x) const { return sum_to(over.kept, x).reshape(over.result); }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {map_to(
        over.shape, [](Real d) { return d; }, dy.reshape(over.kept))};
  }
};

}  // namespace

Var sum(const Var& x, const Axes& axes, bool keepdim) {
  return apply(Sum{{"sum", x.shape(), axes, keepdim}}, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
