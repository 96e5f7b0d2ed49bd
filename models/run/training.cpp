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

/// Where a stretch of training stands, for errors.
struct Position {
  const std::string& phase;
  int epoch;
  Index step;

  std::string text() const {
    return "in " + phase + ", epoch " + std::to_string(epoch) + ", step " + std::to_string(step);
  }
};

/// One step: gradients, then the updates of weights, ranges and widths.
/// Returns the loss.
double train_step(nn::Module& model, const data::Batch& batch, const Training& training,
                  Updates& updates, BitSearch* search, Index done, Index steps,
                  const Position& position) {
  try {
    const auto all = static_cast<double>(steps);
    if (search) search->before_step(static_cast<double>(done) / all);
    const double loss = gradients(model, batch, training.label_smoothing, search);
    check(std::isfinite(loss), "[train] the loss is no number: got ", loss,
          "; expected a finite one; try a smaller rate or clip");
    updates.step(done);
    if (search) search->step(static_cast<double>(done + 1) / all);
    return loss;
  } catch (const Error& error) {
    fail(error.kind(), error.what(), "; this was ", position.text());
  }
}

/// Quantizers give codes to whatever they get, so that the loss of a batch may
/// stay finite where the weights have not; and nobody has seen that of the last.
void check_finite(nn::Module& model, const Score& score, const Position& position) {
  for (auto& [name, parameter] : nn::parameters(model))
    for (const Real v : parameter->value().span())
      check(std::isfinite(v), "[train] ", name, " is no number any more: got ", v,
            "; expected finite ones; try a smaller rate or clip; this was ", position.text());
  check(std::isfinite(score.loss), "[train] the loss on the test set is no number: got ",
        score.loss, "; expected a finite one; try a smaller rate or clip; this was ",
        position.text());
}

/// A network whose loss has left all bounds learns no widths, but that is not
/// what is wrong with it.
void check_alive(BitSearch& search, double loss, double classes, const Position& position) {
  constexpr double beyond = 10;  // times the loss of guessing
  try {
    search.check_alive();
  } catch (const Error& error) {
    check(loss < beyond * std::log(classes), "[train] the loss has grown out of bounds: got ", loss,
          " in the mean of the epoch; expected less than that of guessing, ", std::log(classes),
          "; try a smaller rate or clip; this was ", position.text());
    throw;
  }
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
      const double loss = train_step(model, *batch, training, updates, search, done, steps,
                                     {stretch.phase, stretch.counted + epoch + 1, batch->step + 1});
      sum += loss;
      session.observer().step(++done, loss);
      session.stop_if_asked(model, recipe, stretch.phase);
    }
    const double rate = static_cast<double>(per_epoch * recipe.batch) / (session.seconds() - start);
    const Position end{stretch.phase, stretch.counted + epoch + 1, per_epoch};
    const double mean = sum / static_cast<double>(per_epoch);
    score = evaluate(model, recipe, session.test());
    check_finite(model, score, end);
    if (search)
      check_alive(*search, mean, static_cast<double>(session.data_info().class_names.size()), end);
    score.samples_per_second = rate;
    nlohmann::ordered_json line = {{"phase", stretch.phase},
                                   {"epoch", stretch.counted + epoch + 1},
                                   {"step", stretch.counted * per_epoch + done},
                                   {"seconds", session.seconds()},
                                   {"samples_per_second", rate},
                                   {"rate", updates.rate(done - 1)},
                                   {"loss", mean},
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
    if (!session.observer().stopping()) continue;
    quant::detach(model);
    session.stop(model, recipe, "calibrate");
  }
  quant::calibrated(model);
}

void reestimate_batch_norm(const Session& session, nn::Module& model, const Recipe& recipe) {
  std::vector<nn::BatchNorm2d*> norms;
  for (auto& [name, module] : nn::modules(model))
    if (auto* norm = dynamic_cast<nn::BatchNorm2d*>(module)) norms.push_back(norm);
  const int batches = recipe.reestimate_batches;
  if (norms.empty() || batches == 0) return;
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
    session.stop_if_asked(model, recipe, "re-estimate");
  }
  for (nn::BatchNorm2d* norm : norms) norm->options.momentum = momentum;
}

}  // namespace fraqat::run
