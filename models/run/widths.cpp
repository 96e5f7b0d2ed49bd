#include "models/run/widths.hpp"

#include <algorithm>
#include <optional>

#include "data/loader.hpp"
#include "models/run/batch_norm.hpp"
#include "models/run/batches.hpp"
#include "models/run/checkpoint.hpp"

namespace fraqat::run {
namespace {

/// Lets batch norm use the batch's statistics and keep its own.
class StatisticsKept {
 public:
  explicit StatisticsKept(nn::Module& model) {
    for (nn::BatchNorm* norm : norms_of(model)) {
      norms_.emplace_back(norm, norm->options.momentum);
      norm->options.momentum = 0;
    }
  }
  ~StatisticsKept() {
    for (const auto& [norm, momentum] : norms_) norm->options.momentum = momentum;
  }
  StatisticsKept(const StatisticsKept&) = delete;
  StatisticsKept& operator=(const StatisticsKept&) = delete;

 private:
  std::vector<std::pair<nn::BatchNorm*, Real>> norms_;
};

bool learns(nn::Module& model) {
  const std::vector<quant::Quantizer*> all = quant::quantizers(model);
  return std::any_of(all.begin(), all.end(),
                     [](const quant::Quantizer* q) { return bool(q->bits().parameter()); });
}

/// How many batches losses are measured on.
int batches_to_measure(const Session& session) {
  constexpr int most = 8;
  const Recipe& recipe = session.recipe();
  const Index there = (session.train()->size() + recipe.batch - 1) / recipe.batch;
  return static_cast<int>(std::min<Index>({most, recipe.calibration_batches, there}));
}

std::vector<data::Batch> calibration_batches(const Session& session) {
  const int count = batches_to_measure(session);
  const Recipe& recipe = session.recipe();
  data::LoaderOptions options;
  options.batch = batch_with_statistics(recipe, session.train()->size());
  options.seed = recipe.seed;
  data::Loader loader(session.train(), options);
  std::vector<data::Batch> batches;
  for (const data::Batch& batch : loader.epoch(0)) {
    if (std::ssize(batches) == count) break;
    batches.push_back(batch);
  }
  return batches;
}

/// True if the network is deployed with the statistics that the float one has.
bool keeps_statistics(const Recipe& recipe) {
  return recipe.search.epochs + recipe.finetune.epochs + recipe.reestimate_batches == 0;
}

}  // namespace

TrueLoss loss_on_calibration(const Session& session, nn::Module& model) {
  return [&session, &model, batches = std::vector<data::Batch>(), done = Index{0}]() mutable {
    if (batches.empty()) batches = calibration_batches(session);
    const StatisticsKept kept(model);
    std::optional<TrainingStep> step;
    if (!keeps_statistics(session.recipe()))
      step.emplace(TrainingStep::Position{session.recipe().seed, 0, 0}, false);
    double sum = 0;
    for (const data::Batch& batch : batches) {
      const Var loss = op::softmax_cross_entropy(model(Var(batch.images)), batch.labels);
      sum += static_cast<double>(loss.value().item());
      session.observer().step(++done, 0);
    }
    session.stop_if_asked(model, session.recipe(), "round");
    return sum / static_cast<double>(batches.size());
  };
}

void search_widths(const Session& session, nn::Module& model) {
  const Recipe& recipe = session.recipe();
  nlohmann::ordered_json& notes = session.journal().notes;
  calibrate(session, model);
  BitSearch search(model, recipe);
  notes["gap"] = nlohmann::ordered_json::object();
  if (recipe.search.epochs > 0) {
    const Score searched = train(session, model, recipe, recipe.search,
                                 {"search", recipe.float_training.epochs}, &search);
    save_checkpoint(session.checkpoint("search"), model, recipe, "search");
    notes["gap"]["searched"] = searched.accuracy;
    notes["samples_per_second"] = searched.samples_per_second;
    if (learns(model) && session.test()->size() > 1)  // of one, batch norm has no statistics
      notes["gap"]["fractional"] = evaluate_as_trained(model, recipe, session.test()).accuracy;
  }
  if (const Index losses = search.losses_to_measure(); losses > 0)
    session.observer().phase("measure", losses * batches_to_measure(session));
  nlohmann::ordered_json rounded = search.round(loss_on_calibration(session, model));
  if (const auto found = rounded.find("sensitivity"); found != rounded.end()) {
    notes["sensitivity"] = *found;
    rounded.erase("sensitivity");
  }
  notes["budget"] = std::move(rounded);
  save_checkpoint(session.checkpoint("rounded"), model, recipe, "rounded");
  notes["gap"]["rounded"] = evaluate(model, recipe, session.test()).accuracy;
}

}  // namespace fraqat::run
