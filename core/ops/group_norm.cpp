#include <algorithm>

#include "core/normalise.hpp"
#include "core/ops.hpp"

/// y = gamma z + beta,  z = (x - mean) / sqrt(variance + epsilon), where mean and
/// variance are those of one sample and one of `groups` runs of channels, over all
/// pixels (Wu and He, 2018).  The gradients: core/normalise.hpp.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct GroupNorm {
  static constexpr std::string_view name = "group_norm";
  Normalisation normalisation;

  void describe(Attributes& a) const {
    a("groups", normalisation.groups);
    a("epsilon", normalisation.epsilon);
  }

  Tensor forward(const Tensor& x, const Tensor& gamma, const Tensor& beta) {
    return normalisation.forward(x, gamma, beta);
  }

  std::array<Tensor, 3> backward(const Tensor& dy, Needs<3> needs) const {
    return normalisation.backward(dy, needs);
  }
};

}  // namespace

Var group_norm(const Var& x, Index groups, const Var& gamma, const Var& beta, Real epsilon) {
  check(x.value().rank() >= 2, "[group_norm] no channels: got x ", x.shape(),
        "; expected x[N, ..., C]");
  const Index samples = x.shape()[0], channels = x.shape()[-1];
  check(groups > 0 && channels % groups == 0, "[group_norm] channels do not divide: got ", groups,
        " groups for x ", x.shape(), "; expected a divisor of ", channels);
  check(gamma.shape() == Shape{channels} && beta.shape() == gamma.shape(),
        "[group_norm] channels differ: got gamma ", gamma.shape(), ", beta ", beta.shape(),
        "; expected ", Shape{channels}, " for x ", x.shape());
  check(epsilon > 0, "[group_norm] epsilon is not positive: got ", epsilon,
        "; expected more than 0");
  const Index pixels = x.shape().size() / std::max<Index>(1, samples * channels);
  return apply(GroupNorm{{samples, pixels, groups, channels / groups, epsilon}}, x, gamma, beta);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
