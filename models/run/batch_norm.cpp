#include "models/run/batch_norm.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "models/run/checkpoint.hpp"
#include "models/run/training.hpp"

namespace fraqat::run {

std::vector<nn::BatchNorm*> norms_of(nn::Module& model) {
  std::vector<nn::BatchNorm*> norms;
  for (auto& [name, module] : nn::modules(model))
    if (auto* norm = dynamic_cast<nn::BatchNorm*>(module)) norms.push_back(norm);
  return norms;
}

namespace {

std::vector<op::BatchNormState> statistics_of(nn::Module& model) {
  std::vector<op::BatchNormState> all;
  for (const nn::BatchNorm* norm : norms_of(model))
    all.push_back({norm->state.mean.clone(), norm->state.variance.clone()});
  return all;
}

/// `norm`, measured in the quantized network, becomes `before` moved by what it differs
/// from `full`, measured in the float one.
void move_statistics(nn::BatchNorm& norm, const op::BatchNormState& before,
                     const op::BatchNormState& full) {
  const Real epsilon = norm.options.epsilon;
  Real *mean = norm.state.mean.data(), *variance = norm.state.variance.data();
  for (Index c = 0; c < before.mean.size(); ++c) {
    const Real own = before.variance[c] + epsilon, other = full.variance[c] + epsilon;
    mean[c] = before.mean[c] + (mean[c] - full.mean[c]) * std::sqrt(own / other);
    variance[c] = std::max(own * ((variance[c] + epsilon) / other) - epsilon, Real(0));
  }
}

}  // namespace

void settle_batch_norm(const Session& session, nn::Module& model, const Recipe& recipe) {
  const bool trained = recipe.search.epochs + recipe.finetune.epochs > 0;
  if (trained || recipe.reestimate_batches == 0 || norms_of(model).empty()) {
    reestimate_batch_norm(session, model, recipe);
    return;
  }
  const std::unique_ptr<nn::Module> twin = load_checkpoint(session.checkpoint("float")).model;
  reestimate_batch_norm(session, *twin, recipe);
  const std::vector<op::BatchNormState> before = statistics_of(model), full = statistics_of(*twin);
  reestimate_batch_norm(session, model, recipe);
  const std::vector<nn::BatchNorm*> norms = norms_of(model);
  for (std::size_t i = 0; i < norms.size(); ++i) move_statistics(*norms[i], before[i], full[i]);
}

}  // namespace fraqat::run
