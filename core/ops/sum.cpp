#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y = sum of all x.      dL/dx = dL/dy, everywhere.
///
/// The sum is taken over at most 64 chunks, joined pairwise in index order.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Sum {
  static constexpr std::string_view name = "sum";
  Shape shape = {};

  Tensor forward(const Tensor& x) {
    shape = x.shape();
    return Tensor::scalar(sum_of([](Real v) { return v; }, x));
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {Tensor(shape, dy.item())};
  }
};

}  // namespace

Var sum(const Var& x) { return apply(Sum{}, x); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
