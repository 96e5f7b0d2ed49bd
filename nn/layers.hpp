#pragma once

#include "nn/activations.hpp"
#include "nn/init.hpp"
#include "nn/normalisation.hpp"

/// The layers.  Each has slots where its tensors pass: every slot starts as the
/// identity, so one class is the float layer and, slots filled, the quantized.
namespace fraqat::inline FRAQAT_PRECISION::nn {

/// y = Q_out(Q_in(x) Q_w(W)^T + b): x[..., in] gives y[..., out]; weight[out, in],
/// bias[out].
class Linear final : public Module {
 public:
  Linear(Index in, Index out, Initializer& init, bool with_bias = true);
  Var forward(const Var& x) override;
  void visit(Visitor& visitor) override;
  std::string_view kind() const override { return "Linear"; }

  Var weight, bias;
  Slot input_q, weight_q, output_q;
};

/// Like Linear, over windows of x[N, H, W, in]: weight[out, R, S, in / groups].
class Conv2d final : public Module {
 public:
  Conv2d(Index in, Index out, Index kernel, Initializer& init, const op::Conv2dOptions& = {},
         bool with_bias = true);
  Var forward(const Var& x) override;
  void visit(Visitor& visitor) override;
  std::string_view kind() const override { return "Conv2d"; }

  /// norm(forward(x)), plus the addend unless it is none, rectified if `relu`: in one op,
  /// or none where that would not be the same, such as in training.
  Var normalised(const Var& x, const BatchNorm2d& norm, bool relu, const Var& addend = {});

  op::Conv2dOptions options;
  Var weight, bias;
  Slot input_q, weight_q, output_q;
};

/// The gradient of a Conv2d to its image, as a layer that makes images larger
/// (Zeiler et al., 2010): weight[in, R, S, out / groups], PyTorch's [in, out / groups,
/// R, S] with its channels last.  See op::conv_transpose2d for the shapes.
class ConvTranspose2d final : public Module {
 public:
  ConvTranspose2d(Index in, Index out, Index kernel, Initializer& init,
                  const op::ConvTranspose2dOptions& = {}, bool with_bias = true);
  Var forward(const Var& x) override;
  void visit(Visitor& visitor) override;
  std::string_view kind() const override { return "ConvTranspose2d"; }

  op::ConvTranspose2dOptions options;
  Var weight, bias;
  Slot input_q, weight_q, output_q;
};

/// Row x of weight[rows, width] for every whole number in x, of any shape up to
/// four dimensions: the result is [x's dimensions, width] (Bengio et al., 2003).
/// x is data and gets no gradient.  There is no input_q: an index has no scale.
/// The result has the codes of the weight, so that output_q is only needed where
/// every row has a scale of its own.
class Embedding final : public Module {
 public:
  Embedding(Index rows, Index width, Initializer& init);
  Var forward(const Var& x) override;
  void visit(Visitor& visitor) override;
  std::string_view kind() const override { return "Embedding"; }

  Var weight;
  Slot weight_q, output_q;
};

class MaxPool2d final : public Module {
 public:
  explicit MaxPool2d(const op::Pool2dOptions& options = {}) : options(options) {}
  Var forward(const Var& x) override { return op::max_pool2d(x, options); }
  void visit(Visitor&) override {}
  std::string_view kind() const override { return "MaxPool2d"; }

  op::Pool2dOptions options;
};

class AvgPool2d final : public Module {
 public:
  explicit AvgPool2d(const op::Pool2dOptions& options = {}) : options(options) {}
  Var forward(const Var& x) override { return output_q(op::avg_pool2d(x, options)); }
  void visit(Visitor& visitor) override { visitor.slot("output_q", output_q); }
  std::string_view kind() const override { return "AvgPool2d"; }

  op::Pool2dOptions options;
  Slot output_q;
};

class GlobalAvgPool final : public Module {
 public:
  Var forward(const Var& x) override { return output_q(op::global_avg_pool(x)); }
  void visit(Visitor& visitor) override { visitor.slot("output_q", output_q); }
  std::string_view kind() const override { return "GlobalAvgPool"; }

  Slot output_q;
};

/// Averages over windows that share the image out: [N, height, width, C] whatever
/// the height and width of x[N, H, W, C] are.
class AdaptiveAvgPool2d final : public Module {
 public:
  AdaptiveAvgPool2d(Index height, Index width) : height(height), width(width) {}
  Var forward(const Var& x) override { return output_q(op::adaptive_avg_pool2d(x, height, width)); }
  void visit(Visitor& visitor) override { visitor.slot("output_q", output_q); }
  std::string_view kind() const override { return "AdaptiveAvgPool2d"; }

  Index height, width;
  Slot output_q;
};

/// The largest elements of the same windows; equal ones share the gradient.  The
/// result has the codes of x, so there is no slot.
class AdaptiveMaxPool2d final : public Module {
 public:
  AdaptiveMaxPool2d(Index height, Index width) : height(height), width(width) {}
  Var forward(const Var& x) override;
  void visit(Visitor&) override {}
  std::string_view kind() const override { return "AdaptiveMaxPool2d"; }

  Index height, width;
};

class Dropout final : public Module {
 public:
  explicit Dropout(Real p) : p(p) {}
  Var forward(const Var& x) override { return op::dropout(x, p); }
  void visit(Visitor&) override {}
  std::string_view kind() const override { return "Dropout"; }

  Real p;
};

class Flatten final : public Module {
 public:
  Var forward(const Var& x) override { return op::flatten(x); }
  void visit(Visitor&) override {}
  std::string_view kind() const override { return "Flatten"; }
};

/// The shortcut of a ResNet without parameters ("option A" of He et al., 2016):
/// every stride-th pixel, and zero channels on both sides.
class PadShortcut final : public Module {
 public:
  PadShortcut(Index stride, Index before, Index after)
      : stride(stride), before(before), after(after) {}
  Var forward(const Var& x) override;
  void visit(Visitor&) override {}
  std::string_view kind() const override { return "PadShortcut"; }

  Index stride, before, after;
};

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
