#include "models/run/training.hpp"

#include <algorithm>
#include <cmath>

#include "data/loader.hpp"
#include "models/run/deployment.hpp"
#include "nn/layers.hpp"
#include "optim/optimizer.hpp"

namespace fraqat::run {
namespace {

/// The optimizer of the weights and the one of the learned ranges, each with
/// its own rate: ranges have no decay.
class Updates {
 public:
  Updates(nn::Module& model, const Recipe& recipe, const Training& training, Index steps)
      : training_(training),
        weight_rate_(schedule(training, training.rate, steps)),
        range_rate_(schedule(training, recipe.range_rate, steps)) {
    std::vector<Var> ranges, bits;
    for (quant::Quantizer* q : quant::quantizers(model)) {
      if (const Var range = q->range().parameter()) ranges.push_back(range);
      if (const Var width = q->bits().parameter()) bits.push_back(width);
    }
    const auto within = [](const std::vector<Var>& some, const Var& one) {
      return std::any_of(some.begin(), some.end(),
                         [&](const Var& v) { return v.id() == one.id(); });
    };
    optim::ParameterGroup decayed{{}, 1, training.weight_decay, "weights"};
    optim::ParameterGroup plain{{}, 1, 0, "biases"};
    for (auto& [name, parameter] : nn::parameters(model)) {
      if (within(ranges, *parameter) || within(bits, *parameter)) continue;
      (parameter->value().rank() > 1 ? decayed : plain).parameters.push_back(*parameter);
    }
    weights_ = make_optimizer(training, {decayed, plain});
    if (!ranges.empty())
      ranges_ = std::make_unique<optim::Adam>(
          std::vector<optim::ParameterGroup>{{ranges, 1, 0, "ranges"}});
  }

  void step(Index at) {
    if (training_.clip > 0) optim::clip_gradients_by_norm(weights_->groups(), training_.clip);
    weights_->step(weight_rate_.rate(at));
    weights_->clear_gradients();
    if (!ranges_) return;
    ranges_->step(range_rate_.rate(at));
    ranges_->clear_gradients();
  }

  double rate(Index at) const { return weight_rate_.rate(at); }

 private:
  static optim::Schedule schedule(const Training& training, double rate, Index steps) {
    optim::ScheduleOptions options;
    options.kind = optim::schedule_kind(training.schedule);
    options.base_rate = rate;
    options.total_steps = std::max<Index>(1, steps);
    options.warmup_steps = static_cast<Index>(training.warmup * static_cast<double>(steps));
    options.decay_every = std::max<Index>(1, steps / 3);
    return optim::Schedule(options);
  }

  static std::unique_ptr<optim::Optimizer> make_optimizer(
      const Training& training, std::vector<optim::ParameterGroup> groups) {
    if (training.optimizer == "adam") return std::make_unique<optim::Adam>(std::move(groups));
    if (training.optimizer == "adamw") return std::make_unique<optim::AdamW>(std::move(groups));
    return std::make_unique<optim::Sgd>(
        std::move(groups), optim::SgdOptions{training.momentum, training.nesterov, false});
  }

  Training training_;
  optim::Schedule weight_rate_, range_rate_;
  std::unique_ptr<optim::Optimizer> weights_, ranges_;
};

data::LoaderOptions loader_options(const Recipe& recipe) {
  data::LoaderOptions options;
  options.batch = recipe.batch;
  options.drop_last = true;
  options.seed = recipe.seed;
  return options;
}

/// Forward and backward of one batch; returns the loss of the task.
double gradients(nn::Module& model, const data::Batch& batch, double smoothing,
                 const BitSearch* search) {
  Tape tape;
  const Var logits = model(Var(batch.images));
  Var loss = op::softmax_cross_entropy(logits, batch.labels, static_cast<Real>(smoothing));
  const auto task = static_cast<double>(loss.value().item());
  if (search)
    if (const Var cost = search->cost()) loss = op::add(loss, cost);
  tape.backward(loss);
  return task;
}

void describe_bits(nlohmann::ordered_json& line, nn::Module& model) {
  const std::vector<quant::Quantizer*> all = quant::quantizers(model);
  if (all.empty()) return;
  const bool hard = is_deployable(model);
  line["avg_weight_bits"] = quant::average_bits(all, quant::Role::weight, hard);
  line["avg_activation_bits"] = quant::average_bits(all, quant::Role::activation, hard);
  for (const quant::Quantizer* q : all)
    line["bits"][q->info().name] = q->frozen() ? q->hard_bits() : q->learned_bits();
}

}  // namespace

Score train(const Session& session, nn::Module& model, const Recipe& recipe,
            const Training& training, const Stretch& stretch, BitSearch* search) {
  data::Loader loader(session.train(), loader_options(recipe));
  const Index per_epoch = loader.steps_per_epoch(), steps = per_epoch * training.epochs;
  check(per_epoch > 0, "[train] the batch is larger than the data set: got ", recipe.batch, " and ",
        session.train()->size(), " samples; try a smaller data.batch");
  session.observer().phase(stretch.phase, steps);
  Updates updates(model, recipe, training, steps);
  Score score = training.epochs ? Score{} : evaluate(model, recipe, session.test());
  Index done = 0;
  for (int epoch = 0; epoch < training.epochs; ++epoch) {
    const auto number = static_cast<std::uint32_t>(stretch.first_epoch + epoch);
    const double start = session.seconds();
    loader.start_epoch(number);
    double sum = 0;
    while (const data::Batch* batch = loader.next()) {
      TrainingStep step({recipe.seed, number, static_cast<std::uint32_t>(batch->step)});
      if (search) search->before_step(static_cast<double>(done) / static_cast<double>(steps));
      const double loss = gradients(model, *batch, training.label_smoothing, search);
      check(std::isfinite(loss), "[train] the loss is no number: got ", loss, " in ", stretch.phase,
            ", epoch ", epoch + 1, ", step ", batch->step, "; try a smaller rate or clip");
      updates.step(done);
      if (search) search->step(static_cast<double>(done + 1) / static_cast<double>(steps));
      sum += loss;
      session.observer().step(++done, loss);
      session.stop_if_asked(model, recipe, stretch.phase);
    }
    const double rate = static_cast<double>(per_epoch * recipe.batch) / (session.seconds() - start);
    if (search) search->check_alive();
    score = evaluate(model, recipe, session.test());
    score.samples_per_second = rate;
    nlohmann::ordered_json line = {{"phase", stretch.phase},
                                   {"epoch", stretch.counted + epoch + 1},
                                   {"step", stretch.counted * per_epoch + done},
                                   {"seconds", session.seconds()},
                                   {"samples_per_second", rate},
                                   {"rate", updates.rate(done - 1)},
                                   {"loss", sum / static_cast<double>(per_epoch)},
                                   {"accuracy", score.accuracy}};
    describe_bits(line, model);
    if (search) search->describe(line);
    session.record(line);
  }
  return score;
}

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
  }
  quant::calibrated(model);
}

void reestimate_batch_norm(const Session& session, nn::Module& model, int batches) {
  std::vector<nn::BatchNorm2d*> norms;
  for (auto& [name, module] : nn::modules(model))
    if (auto* norm = dynamic_cast<nn::BatchNorm2d*>(module)) norms.push_back(norm);
  if (norms.empty() || batches == 0) return;
  const Recipe& recipe = session.recipe();
  const Real momentum = norms[0]->options.momentum;
  data::Loader loader(session.train(), loader_options(recipe));
  session.observer().phase("re-estimate", batches);
  std::uint32_t epoch = 0;
  loader.start_epoch(epoch);
  for (int i = 0; i < batches; ++i) {
    const data::Batch* batch = loader.next();
    if (!batch) {
      loader.start_epoch(++epoch);
      batch = loader.next();
    }
    for (nn::BatchNorm2d* norm : norms) norm->options.momentum = Real(1) / Real(i + 1);
    TrainingStep step({recipe.seed, epoch, static_cast<std::uint32_t>(batch->step)}, false);
    model(Var(batch->images));
    session.observer().step(i + 1, 0);
  }
  for (nn::BatchNorm2d* norm : norms) norm->options.momentum = momentum;
}

}  // namespace fraqat::run
