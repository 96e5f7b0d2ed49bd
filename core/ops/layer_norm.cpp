#include <algorithm>

#include "core/normalise.hpp"
#include "core/ops.hpp"

/// y = gamma z + beta,  z = (x - mean) / sqrt(variance + epsilon), where mean and
/// variance are those of the last dimensions of x, as many as gamma has (Ba,
/// Kiros and Hinton, 2016).  The gradients: core/normalise.hpp.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct LayerNorm {
  static constexpr std::string_view name = "layer_norm";
  Normalisation normalisation;

  void describe(Attributes& a) const { a("epsilon", normalisation.epsilon); }

  Tensor forward(const Tensor& x, const Tensor& gamma, const Tensor& beta) {
    return normalisation.forward(x, gamma, beta);
  }

  std::array<Tensor, 3> backward(const Tensor& dy, Needs<3> needs) const {
    return normalisation.backward(dy, needs);
  }
};

}  // namespace

Var layer_norm(const Var& x, const Var& gamma, const Var& beta, Real epsilon) {
  const auto dims = x.shape().dims(), last = gamma.shape().dims();
  check(!last.empty() && last.size() <= dims.size() &&
            std::equal(last.rbegin(), last.rend(), dims.rbegin()) && beta.shape() == gamma.shape(),
        "[layer_norm] shapes do not fit: got x ", x.shape(), ", gamma ", gamma.shape(), ", beta ",
        beta.shape(), "; expected gamma and beta of the last dimensions of x");
  check(epsilon > 0, "[layer_norm] epsilon is not positive: got ", epsilon,
        "; expected more than 0");
  const Index width = gamma.shape().size();
  return apply(LayerNorm{{x.shape().size() / std::max<Index>(1, width), 1, 1, width, epsilon}}, x,
               gamma, beta);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
