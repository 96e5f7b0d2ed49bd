#pragma once

#include "nn/init.hpp"
#include "nn/module.hpp"

/// The layers.  Each has slots where its tensors pass: every slot starts as the
/// identity, so one class is the float layer and, slots filled, the quantized.
namespace fraqat::inline FRAQAT_PRECISION::nn {

/// y = Q_out(Q_in(x) Q_w(W)^T + b): x[n, in], weight[out, in], bias[out].
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

  op::Conv2dOptions options;
  Var weight, bias;
  Slot input_q, weight_q, output_q;
};

/// Normalises channels with the batch's statistics inside a TrainingStep, with
/// the running ones outside (Ioffe and Szegedy, 2015).
class BatchNorm2d final : public Module {
 public:
  explicit BatchNorm2d(Index channels);
  Var forward(const Var& x) override;
  void visit(Visitor& visitor) override;
  std::string_view kind() const override { return "BatchNorm2d"; }

  Var gamma, beta;
  op::BatchNormState state;
  op::BatchNormOptions options;
  Slot output_q;
};

class Relu final : public Module {
 public:
  Var forward(const Var& x) override;
  void visit(Visitor& visitor) override;
  std::string_view kind() const override { return "Relu"; }

  Slot output_q;
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
