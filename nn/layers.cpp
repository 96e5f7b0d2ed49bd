#include "nn/layers.hpp"

#include <algorithm>
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

void check_groups(std::string_view who, Index in, Index out, Index groups) {
  check(groups > 0 && in % groups == 0 && out % groups == 0, "[", who,
        "] channels do not divide into groups: got ", in, " in, ", out, " out, ", groups,
        " groups; expected both to be multiples of it");
}

// The maxima over `parts` windows of an axis, from floor(i n / parts) to
// ceil((i + 1) n / parts).  One axis after the other is the maximum over both.
Var shared_maximum(const Var& x, int axis, Index parts) {
  const Index extent = x.shape()[axis];
  Vars windows;
  for (Index i = 0; i < parts; ++i) {
    const Var window =
        op::slice(x, axis, i * extent / parts, ((i + 1) * extent + parts - 1) / parts);
    windows.push_back(op::max(window, {axis}, true));
  }
  return op::concat(windows, axis);
}

/// What Linear and the convolutions show, in this order.
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
  const Shape& shape = x.shape();
  if (shape.rank() <= 2) return output_q(op::linear(input_q(x), weight_q(weight), bias));
  check(shape[-1] == weight.shape()[1], "[Linear] inner sizes differ: got x ", shape, ", weight ",
        weight.shape(), "; expected x[..., in] and weight[out, in]");
  const Var rows = op::reshape(input_q(x), {-1, shape[-1]});
  const Var y = output_q(op::linear(rows, weight_q(weight), bias));
  std::array<Index, Shape::max_rank> dims{};
  std::copy(shape.dims().begin(), shape.dims().end() - 1, dims.begin());
  dims[static_cast<std::size_t>(shape.rank() - 1)] = weight.shape()[0];
  return op::reshape(y, dims, shape.rank());
}

void Linear::visit(Visitor& visitor) { visit_product(visitor, *this); }

Conv2d::Conv2d(Index in, Index out, Index kernel, Initializer& init,
               const op::Conv2dOptions& options, bool with_bias)
    : options(options) {
  check_groups("Conv2d", in, out, options.groups);
  const Index fan_in = kernel * kernel * in / options.groups;
  weight = initial_weight(init, {out, kernel, kernel, in / options.groups}, fan_in);
  if (with_bias) bias = initial_bias(init, out, fan_in);
}

Var Conv2d::forward(const Var& x) {
  return output_q(op::conv2d(input_q(x), weight_q(weight), bias, options));
}

Var Conv2d::normalised(const Var& x, const BatchNorm2d& norm, bool relu, const Var& addend) {
  const bool inference = !Tape::current() && (!TrainingStep::current() || norm.frozen);
  if (!inference || output_q || norm.output_q) return {};
  if (addend && addend.shape() != op::conv2d_shape(x.shape(), weight.shape(), options)) return {};
  LayerScope scope(path_);
  return op::conv2d_batch_norm(input_q(x), weight_q(weight), bias, options,
                               norm.prepared(relu, addend));
}

void Conv2d::visit(Visitor& visitor) { visit_product(visitor, *this); }

ConvTranspose2d::ConvTranspose2d(Index in, Index out, Index kernel, Initializer& init,
                                 const op::ConvTranspose2dOptions& options, bool with_bias)
    : options(options) {
  check_groups("ConvTranspose2d", in, out, options.groups);
  // PyTorch's fan_in: the extent behind its weight's first, which here is out / groups.
  const Index fan_in = kernel * kernel * out / options.groups;
  weight = initial_weight(init, {in, kernel, kernel, out / options.groups}, fan_in);
  if (with_bias) bias = initial_bias(init, out, fan_in);
}

Var ConvTranspose2d::forward(const Var& x) {
  return output_q(op::conv_transpose2d(input_q(x), weight_q(weight), bias, options));
}

void ConvTranspose2d::visit(Visitor& visitor) { visit_product(visitor, *this); }

Embedding::Embedding(Index rows, Index width, Initializer& init)
    : weight(init.normal({rows, width}), true) {}

Var Embedding::forward(const Var& x) {
  check(x.shape().rank() < Shape::max_rank, "[Embedding] too many dimensions: got x ", x.shape(),
        "; expected at most ", Shape::max_rank - 1);
  return output_q(op::embedding(weight_q(weight), x.value()));
}

void Embedding::visit(Visitor& visitor) {
  visitor.parameter("weight", weight);
  visitor.slot("weight_q", weight_q);
  visitor.slot("output_q", output_q);
}

Var AdaptiveMaxPool2d::forward(const Var& x) {
  check(x.shape().rank() == 4 && height > 0 && width > 0,
        "[AdaptiveMaxPool2d] does not fit: got x ", x.shape(), " for ", height, " x ", width,
        "; expected x[N, H, W, C] and 1 x 1 or more");
  return shared_maximum(shared_maximum(x, 1, height), 2, width);
}

Var PadShortcut::forward(const Var& x) {
  // A maximum over windows of one pixel is subsampling.
  return op::pad_channels(op::max_pool2d(x, {1, stride, 0}), before, after);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
