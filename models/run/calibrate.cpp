#include "models/run/batch_norm.hpp"
#include "models/run/batches.hpp"
#include "models/run/training.hpp"

// Passes over training data that train nothing: ranges and statistics are measured.
namespace fraqat::run {

void calibrate(const Session& session, nn::Module& model) {
  const Recipe& recipe = session.recipe();
  data::Loader loader(session.train(), loader_options(recipe));
  quant::set_mode(model, quant::Quantizer::Mode::observe);
  session.observer().phase("calibrate", recipe.calibration_batches);
  loader.start_epoch(0);
  for (int i = 0; i < recipe.calibration_batches; ++i) {
    const data::Batch* batch = loader.next();
    if (!batch) break;
    model(Var(batch->images));
    session.observer().step(i + 1, 0);
    if (!session.observer().stopping()) continue;
    quant::detach(model);
    session.stop(model, recipe, "calibrate");
  }
  quant::calibrated(model);
}

void reestimate_batch_norm(const Session& session, nn::Module& model, const Recipe& recipe) {
  const std::vector<nn::BatchNorm*> norms = norms_of(model);
  const int batches = recipe.reestimate_batches;
  if (norms.empty() || batches == 0) return;
  const Real momentum = norms[0]->options.momentum;
  data::Loader loader(augmented(session.train(), recipe), loader_options(recipe));
  session.observer().phase("re-estimate", batches);
  std::uint32_t epoch = 0;
  loader.start_epoch(epoch);
  for (int i = 0; i < batches; ++i) {
    const data::Batch* batch = loader.next();
    if (!batch) {
      loader.start_epoch(++epoch);
      batch = loader.next();
    }
    for (nn::BatchNorm* norm : norms) norm->options.momentum = Real(1) / Real(i + 1);
    TrainingStep step({recipe.seed, epoch, static_cast<std::uint32_t>(batch->step)}, false);
    model(Var(batch->images));
    session.observer().step(i + 1, 0);
    session.stop_if_asked(model, recipe, "re-estimate");
  }
  for (nn::BatchNorm* norm : norms) norm->options.momentum = momentum;
}

}  // namespace fraqat::run
