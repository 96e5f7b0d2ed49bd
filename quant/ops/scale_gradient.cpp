#include "quant/ops.hpp"

/// y = x.      dL/dx = factor dL/dy, element by element: declared, not derived.
///
/// LSQ (Esser et al., 2020) multiplies the gradients of its ranges by 1 / sqrt(N hi), so that
/// they are as large, for their parameter's size, as those of the weights.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct ScaleGradient {
  static constexpr std::string_view name = "scale_gradient";
  Tensor factor;

  Tensor forward(const Tensor& x) { return x; }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    Tensor dx(dy.shape());
    for (Index i = 0; i < dy.size(); ++i) dx[i] = factor[i] * dy[i];
    return {dx};
  }
};

}  // namespace

Var scale_gradient(const Var& x, const Tensor& factor) {
  check(x.shape() == factor.shape(), "[scale_gradient] one factor for each element: got x ",
        x.shape(), " and factor ", factor.shape(), "; expected the same shape");
  return apply(ScaleGradient{factor}, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
