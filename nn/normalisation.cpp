#include "nn/normalisation.hpp"

namespace fraqat::inline FRAQAT_PRECISION::nn {
namespace {

/// What LayerNorm and GroupNorm show, in this order.
template <class Layer>
void visit_norm(Visitor& visitor, Layer& layer) {
  visitor.parameter("weight", layer.gamma);
  visitor.slot("weight_q", layer.weight_q);
  visitor.parameter("bias", layer.beta);
  visitor.slot("output_q", layer.output_q);
}

}  // namespace

BatchNorm::BatchNorm(Index channels)
    : gamma(Tensor({channels}, Real(1)), true),
      beta(Tensor({channels}, Real(0)), true),
      state{Tensor({channels}, Real(0)), Tensor({channels}, Real(1))} {}

op::BatchNormOptions BatchNorm::options_now(bool relu) const {
  op::BatchNormOptions now = options;
  now.batch_statistics = TrainingStep::current() != nullptr && !frozen;
  now.relu = relu;
  return now;
}

op::BatchNormInput BatchNorm::input(const Var& x, bool relu) const {
  return {x, gamma, beta, state, options_now(relu), path_};
}

Var BatchNorm::forward(const Var& x) { return output_q.of_normalised(input(x, false)); }

Var BatchNorm::rectified(const Var& x, const Var& addend) {
  if (output_q || (addend && addend.shape() != x.shape())) {
    const Var y = (*this)(x);
    return op::relu(addend ? op::add(y, addend) : y);
  }
  LayerScope scope(path_);
  return op::batch_norm(x, gamma, beta, state, options_now(true), addend);
}

op::NormalisedChannels BatchNorm::prepared(bool relu, const Var& addend) const {
  op::BatchNormOptions running = options;
  running.batch_statistics = false;
  running.relu = relu;
  return op::normalised_channels(gamma, beta, state, running, addend);
}

void BatchNorm::visit(Visitor& visitor) {
  visitor.parameter("weight", gamma);
  visitor.parameter("bias", beta);
  visitor.buffer("running_mean", state.mean);
  visitor.buffer("running_var", state.variance);
  visitor.slot("output_q", output_q);
}

Var BatchNorm1d::forward(const Var& x) {
  check(x.shape().rank() == 2 || x.shape().rank() == 3, "[BatchNorm1d] wrong rank: got x ",
        x.shape(), "; expected x[N, C] or x[N, L, C]; try BatchNorm2d for images");
  return BatchNorm::forward(x);
}

LayerNorm::LayerNorm(const Shape& shape, Real epsilon)
    : gamma(Tensor(shape, Real(1)), true), beta(Tensor(shape, Real(0)), true), epsilon(epsilon) {}

Var LayerNorm::forward(const Var& x) {
  return output_q(op::layer_norm(x, weight_q(gamma), beta, epsilon));
}

void LayerNorm::visit(Visitor& visitor) { visit_norm(visitor, *this); }

GroupNorm::GroupNorm(Index groups, Index channels, Real epsilon)
    : groups(groups),
      gamma(Tensor({channels}, Real(1)), true),
      beta(Tensor({channels}, Real(0)), true),
      epsilon(epsilon) {
  check(groups > 0 && channels % groups == 0,
        "[GroupNorm] channels do not divide into groups: got ", channels, " channels, ", groups,
        " groups; expected a multiple of it");
}

Var GroupNorm::forward(const Var& x) {
  return output_q(op::group_norm(x, groups, weight_q(gamma), beta, epsilon));
}

void GroupNorm::visit(Visitor& visitor) { visit_norm(visitor, *this); }

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
