#include "models/run/objective.hpp"

#include "models/run/checkpoint.hpp"

namespace fraqat::run {
namespace {

Var scaled(const Var& x, Real factor) { return op::mul(x, Var(Tensor::scalar(factor))); }

}  // namespace

Objective::Objective(const Session& session, const Training& training)
    : share_(static_cast<Real>(training.distillation)),
      temperature_(static_cast<Real>(training.distillation_temperature)),
      smoothing_(static_cast<Real>(training.label_smoothing)) {
  if (share_ > 0) teacher_ = load_checkpoint(session.checkpoint("float")).model;
}

Tensor Objective::soft_targets(const Tensor& images) const {
  if (!teacher_) return {};
  return op::softmax(scaled((*teacher_)(Var(images)), 1 / temperature_)).value();
}

Var Objective::loss(const Var& logits, const Tensor& labels, const Tensor& soft_targets) const {
  const Var hard = op::softmax_cross_entropy(logits, labels, smoothing_);
  if (!teacher_) return hard;
  // The gradient of the softened distance is 1 / T^2 of the other: T^2 evens it out.
  const Var answer = op::log_softmax(scaled(logits, 1 / temperature_));
  const Var soft = op::kl_div(answer, soft_targets);
  return op::add(scaled(hard, 1 - share_), scaled(soft, share_ * temperature_ * temperature_));
}

}  // namespace fraqat::run
