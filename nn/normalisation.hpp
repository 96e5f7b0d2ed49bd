#pragma once

#include "nn/module.hpp"

/// Layers that give their input mean 0 and variance 1, then learn a mean beta and
/// a deviation gamma for it.  gamma is no weight of a product: like a bias it joins
/// the float factors between two integer ops, so attach() leaves it in float.
/// PyTorch's names and shapes: weight is gamma, bias is beta.
namespace fraqat::inline FRAQAT_PRECISION::nn {

/// Normalises each channel (last dimension) with the batch's statistics inside a
/// TrainingStep, with the running ones outside, or once frozen (Ioffe and Szegedy, 2015).
class BatchNorm : public Module {
 public:
  explicit BatchNorm(Index channels);
  Var forward(const Var& x) override;
  void visit(Visitor& visitor) override;

  /// The batch_norm that forward would compute now, with `relu` behind it: for a slot that may
  /// do so in its own op.
  op::BatchNormInput input(const Var& x, bool relu) const;

  /// relu(forward(x) + addend), the addend may be none: one op where shapes are equal
  /// and no slot is between.
  Var rectified(const Var& x, const Var& addend = {});

  /// What forward does outside of training, with relu and an addend, for an op to finish with.
  op::NormalisedChannels prepared(bool relu, const Var& addend) const;

  Var gamma, beta;
  op::BatchNormState state;
  op::BatchNormOptions options;
  bool frozen = false;  // running statistics in training, too, and left as they are
  Slot output_q;

 private:
  op::BatchNormOptions options_now(bool relu) const;
};

/// Of x[N, C] or x[N, L, C]; PyTorch's second is [N, C, L].
class BatchNorm1d final : public BatchNorm {
 public:
  using BatchNorm::BatchNorm;
  Var forward(const Var& x) override;
  std::string_view kind() const override { return "BatchNorm1d"; }
};

/// Of images x[N, H, W, C].
class BatchNorm2d final : public BatchNorm {
 public:
  using BatchNorm::BatchNorm;
  std::string_view kind() const override { return "BatchNorm2d"; }
};

/// Normalises the last dimensions, which have the extents `shape`, of each sample
/// and position by themselves: the same in training and evaluation, for any batch
/// (Ba, Kiros and Hinton, 2016).
class LayerNorm final : public Module {
 public:
  explicit LayerNorm(const Shape& shape, Real epsilon = Real(1e-5));
  explicit LayerNorm(Index width, Real epsilon = Real(1e-5)) : LayerNorm(Shape{width}, epsilon) {}
  Var forward(const Var& x) override;
  void visit(Visitor& visitor) override;
  std::string_view kind() const override { return "LayerNorm"; }

  Var gamma, beta;
  Real epsilon;
  Slot weight_q, output_q;
};

/// Normalises each of `groups` runs of channels of each sample x[N, ..., C]; with
/// one group all of a sample, with C groups every channel of it (Wu and He, 2018).
class GroupNorm final : public Module {
 public:
  GroupNorm(Index groups, Index channels, Real epsilon = Real(1e-5));
  Var forward(const Var& x) override;
  void visit(Visitor& visitor) override;
  std::string_view kind() const override { return "GroupNorm"; }

  Index groups;
  Var gamma, beta;
  Real epsilon;
  Slot weight_q, output_q;
};

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
