#include "nn/layers.hpp"

#include <cmath>

namespace fraqat::inline FRAQAT_PRECISION::nn {
namespace {

// PyTorch's default, so that recipes written for it carry over: weights and
// bias uniform in +-1 / sqrt(fan_in).
Var initial_weight(Initializer& init, const Shape& shape, Index fan_in) {
  return Var(init.kaiming_uniform(shape, fan_in, std::sqrt(5.0)), true);
}

Var initial_bias(Initializer& init, Index size, Index fan_in) {
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  return Var(init.uniform({size}, -bound, bound), true);
}

/// What Linear and Conv2d show, in this order.
template <class Layer>
void visit_product(Visitor& visitor, Layer& layer) {
  visitor.slot("input_q", layer.input_q);
  visitor.parameter("weight", layer.weight);
  visitor.slot("weight_q", layer.weight_q);
  if (layer.bias) visitor.parameter("bias", layer.bias);
  visitor.slot("output_q", layer.output_q);
}

}  // namespace

Linear::Linear(Index in, Index out, Initializer& init, bool with_bias)
    : weight(initial_weight(init, {out, in}, in)) {
  if (with_bias) bias = initial_bias(init, out, in);
}

Var Linear::forward(const Var& x) {
  return output_q(op::linear(input_q(x), weight_q(weight), bias));
}

void Linear::visit(Visitor& visitor) { visit_product(visitor, *this); }

Conv2d::Conv2d(Index in, Index out, Index kernel, Initializer& init,
               const op::Conv2dOptions& options, bool with_bias)
    : options(options) {
  check(options.groups > 0 && in % options.groups == 0 && out % options.groups == 0,
        "[Conv2d] channels do not divide into groups: got ", in, " in, ", out, " out, ",
        options.groups, " groups; expected both to be multiples of it");
  const Index fan_in = kernel * kernel * in / options.groups;
  weight = initial_weight(init, {out, kernel, kernel, in / options.groups}, fan_in);
  if (with_bias) bias = initial_bias(init, out, fan_in);
}

Var Conv2d::forward(const Var& x) {
  return output_q(op::conv2d(input_q(x), weight_q(weight), bias, options));
}

void Conv2d::visit(Visitor& visitor) { visit_product(visitor, *this); }

BatchNorm2d::BatchNorm2d(Index channels)
    : gamma(Tensor({channels}, Real(1)), true),
      beta(Tensor({channels}, Real(0)), true),
      state{Tensor({channels}, Real(0)), Tensor({channels}, Real(1))} {}

Var BatchNorm2d::forward(const Var& x) {
  options.batch_statistics = TrainingStep::current() != nullptr;
  return output_q(op::batch_norm(x, gamma, beta, state, options));
}

void BatchNorm2d::visit(Visitor& visitor) {
  visitor.parameter("weight", gamma);
  visitor.parameter("bias", beta);
  visitor.buffer("running_mean", state.mean);
  visitor.buffer("running_var", state.variance);
  visitor.slot("output_q", output_q);
}

Var Relu::forward(const Var& x) { return output_q(op::relu(x)); }

void Relu::visit(Visitor& visitor) { visitor.slot("output_q", output_q); }

Var PadShortcut::forward(const Var& x) {
  // A maximum over windows of one pixel is subsampling.
  return op::pad_channels(op::max_pool2d(x, {1, stride, 0}), before, after);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
