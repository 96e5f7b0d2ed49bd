#include "models/run/late_changes.hpp"

#include <cmath>
#include <numbers>

#include "models/run/batch_norm.hpp"

namespace fraqat::run {

LateChanges::LateChanges(nn::Module& model, const Training& training)
    : training_(training), norms_(norms_of(model)) {
  for (quant::Quantizer* q : quant::quantizers(model))
    if (q->info().role == quant::Role::weight) weights_.push_back(q);
}

LateChanges::~LateChanges() { end(); }

void LateChanges::before_step(double progress) {
  const double rise = (1 - std::cos(std::numbers::pi * progress)) / 2;
  set(progress >= 1 - training_.freeze_batch_norm, training_.damping * rise);
}

void LateChanges::set(bool frozen, double damping) {
  for (nn::BatchNorm* norm : norms_) norm->frozen = frozen;
  for (quant::Quantizer* weight : weights_) weight->set_damping(damping);
}

}  // namespace fraqat::run
