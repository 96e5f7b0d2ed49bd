#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y = (sum of all x) / size.      dL/dx = dL/dy / size, everywhere.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Mean {
  static constexpr std::string_view name = "mean";
  Shape shape = {};

  Tensor forward(const Tensor& x) {
    shape = x.shape();
    return Tensor::scalar(sum_of([](Real v) { return v; }, x) / Real(shape.size()));
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {Tensor(shape, dy.item() / Real(shape.size()))};
  }
};

}  // namespace

Var mean(const Var& x) {
  check(x.value().size() > 0, "[mean] nothing to average: got shape ", x.shape(),
        "; expected at least one element");
  return apply(Mean{}, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
