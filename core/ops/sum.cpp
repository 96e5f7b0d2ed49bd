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
    const Real* numbers = x.data();
    return Tensor::scalar(parallel_sum<Real>(x.size(), 1 << 14, [=](Index begin, Index end) {
      Real sum = 0;
      for (Index i = begin; i < end; ++i) sum += numbers[i];
      return sum;
    }));
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {Tensor(shape, dy.item())};
  }
};

}  // namespace

Var sum(const Var& x) { return apply(Sum{}, x); }

}  // namespace fraqat::inline FRAQAT_PRECISION::op
