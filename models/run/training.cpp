#include "models/run/training.hpp"

#include <algorithm>
#include <cmath>

#include "data/loader.hpp"
#include "models/run/batches.hpp"
#include "models/run/deployment.hpp"
#include "models/run/late_changes.hpp"
#include "models/run/objective.hpp"
#include "models/run/trace.hpp"
#include "models/run/updates.hpp"
#include "nn/layers.hpp"

namespace fraqat::run {
namespace {

/// What one step learns from: a batch, and what the teacher says of it.
struct Lesson {
  const data::Batch& batch;
  Tensor soft_targets;
};

/// Forward and backward of one batch; returns the loss of the task.
double gradients(nn::Module& model, const Lesson& lesson, const Objective& objective,
                 BitSearch* search) {
  double task = 0;
  {
    Tape tape;
    const Var logits = model(Var(lesson.batch.images));
    const Var loss = objective.loss(logits, lesson.batch.labels, lesson.soft_targets);
    task = static_cast<double>(loss.value().item());
    tape.backward(loss);
  }
  if (search) search->after_backward();
  return task;
}

void describe_bits(nlohmann::ordered_json& line, nn::Module& model) {
  const std::vector<quant::Quantizer*> all = quant::quantizers(model);
  if (all.empty()) return;
  const bool hard = is_deployable(model);
  line["avg_weight_bits"] = quant::average_bits(all, quant::Role::weight, hard);
  line["avg_activation_bits"] = quant::average_bits(all, quant::Role::activation, hard);
  for (const quant::Quantizer* q : all)
    line["bits"][q->info().name] = q->frozen() ? q->mean_hard_bits() : q->learned_bits();
}

/// One stretch of training under way: a step, an epoch, all of it.
class Run {
 public:
  Run(const Session& session, nn::Module& model, const Recipe& recipe, const Training& training,
      const Stretch& stretch, BitSearch* search)
      : session_(session),
        model_(model),
        recipe_(recipe),
        training_(training),
        stretch_(stretch),
        search_(search),
        objective_(session, training),
        late_(model, training),
        loader_(augmented(session.train(), recipe), loader_options(recipe)),
        per_epoch_(loader_.steps_per_epoch()),
        steps_(per_epoch_ * training.epochs) {
    check(per_epoch_ > 0, "[train] the batch is larger than the data set: got ", recipe.batch,
          " and ", session.train()->size(),
          " samples; expected one batch or more; try a smaller data.batch");
  }

  Score all() {
    const std::string key = stretch_.phase + ' ' + std::to_string(stretch_.first_epoch);
    Journal& journal = session_.journal();
    if (const auto said = journal.take_finished(key); said.is_number())
      return {.samples_per_second = said};
    session_.observer().phase(stretch_.phase, steps_);
    journal.restore_widths(key, model_);
    parameters_ = nn::parameters(model_);
    Updates updates(model_, recipe_, training_, steps_);
    const Journal::Stretch saved{key, model_, updates, search_};
    at_ = journal.restore(saved);
    while (at_.epoch < training_.epochs) {
      epoch(updates, saved);
      placed([&] { session_.save(saved, at_); });
    }
    if (training_.average > 0 && training_.epochs > 0) settle(updates);
    journal.finish(key, at_.samples_per_second);
    Score score = score_ ? *score_ : evaluate(model_, recipe_, session_.test());
    score.samples_per_second = at_.samples_per_second;
    return score;
  }

 private:
  /// The running statistics belong to the weights that moved, not to their average.
  void settle(Updates& updates) {
    updates.settle();
    late_.end();  // frozen statistics would not be measured
    reestimate_batch_norm(session_, model_, recipe_);
    session_.observer().phase(stretch_.phase, steps_);
    score_.reset();
  }

  Index done() const { return at_.epoch * per_epoch_ + at_.step; }
  double share(Index steps) const {
    return static_cast<double>(steps) / static_cast<double>(steps_);
  }
  std::string where() const {
    return "in " + stretch_.phase + ", epoch " + std::to_string(stretch_.counted + at_.epoch + 1) +
           ", step " + std::to_string(at_.step + 1);
  }

  /// f(); an Error also says where it was.
  template <class F>
  std::invoke_result_t<F> placed(F&& f) const {
    try {
      return f();
    } catch (const Error& error) {
      fail(error.kind(), error.what(), "; this was ", where());
    }
  }

  /// Gradients, then the updates of weights, ranges and widths; returns the loss.
  double step(const Lesson& lesson, Updates& updates) {
    return placed([&] {
      if (search_) search_->before_step(share(done()));
      late_.before_step(share(done()));
      const double loss = finite_gradients(lesson);
      updates.step(done());
      if (search_) search_->after_loss(loss);
      if (search_) search_->step(share(done() + 1));
      check_values();
      return loss;
    });
  }

  double finite_gradients(const Lesson& lesson) {
    double loss = 0;
    const auto passes = [&] {
      loss = gradients(model_, lesson, objective_, search_);
      check_numbers("[train] ", loss, parameters_, [&] { again(lesson); });
    };
    if (session_.options().trace)
      with_trace(session_.file("trace.csv"), traced_step(), passes, [&] { again(lesson); });
    else
      passes();
    return loss;
  }

  TracedStep traced_step() const {
    return {stretch_.phase, stretch_.counted + at_.epoch + 1, at_.step + 1, parameters_};
  }

  /// The passes of the step once more, with the same random numbers.
  void again(const Lesson& lesson) {
    const Counter at = TrainingStep::current()->counter();
    const TrainingStep again({recipe_.seed, at.epoch, at.step});
    for (const auto& [name, parameter] : parameters_) parameter->clear_grad();
    gradients(model_, lesson, objective_, search_);
  }

  void epoch(Updates& updates, const Journal::Stretch& saved) {
    const auto number = static_cast<std::uint32_t>(stretch_.first_epoch + at_.epoch);
    const double start = session_.seconds() - at_.seconds;
    loader_.start_epoch(number, at_.step);
    if (at_.step == 0)  // at the same steps whether the run was cut or not
      for (quant::Quantizer* q : quant::quantizers(model_)) q->look();
    while (const data::Batch* batch = loader_.next()) {
      const Lesson lesson{*batch, objective_.soft_targets(batch->images)};
      const TrainingStep position({recipe_.seed, number, static_cast<std::uint32_t>(batch->step)});
      const double loss = step(lesson, updates);
      at_.sum += loss;
      ++at_.step;
      at_.seconds = session_.seconds() - start;
      session_.observer().step(done(), loss);
      if (session_.observer().stopping()) {
        placed([&] { session_.save(saved, at_); });
        session_.stop(model_, recipe_, stretch_.phase);
      }
      placed([&] { session_.save_now_and_then(saved, at_); });
    }
    finish_epoch(updates);
  }

  void finish_epoch(Updates& updates) {
    const double mean = at_.sum / static_cast<double>(per_epoch_);
    at_.step = per_epoch_ - 1;  // for what an error says
    {
      const auto averaged = updates.averaged();
      score_ = placed([&] { return evaluate(model_, recipe_, session_.test()); });
      check_score();
    }
    if (search_) check_alive(mean);
    const double rate = static_cast<double>(per_epoch_ * recipe_.batch) / at_.seconds;
    at_ = {.epoch = at_.epoch + 1, .samples_per_second = rate};
    nlohmann::ordered_json line = {{"phase", stretch_.phase},
                                   {"epoch", stretch_.counted + at_.epoch},
                                   {"step", stretch_.counted * per_epoch_ + done()},
                                   {"seconds", session_.seconds()},
                                   {"samples_per_second", rate},
                                   {"rate", updates.rate(done() - 1)},
                                   {"loss", mean},
                                   {"accuracy", score_->accuracy}};
    describe_bits(line, model_);
    if (search_) search_->describe(line);
    session_.record(line);
    updates.finish_epoch(mean);
  }

  /// Quantizers give codes to whatever they get, so that the loss of a batch may stay
  /// finite where the weights have not.
  void check_values() const {
    for (const auto& [name, parameter] : parameters_) {
      if (all_finite(parameter->value())) continue;
      if (session_.options().trace) trace_parameters(session_.file("trace.csv"), traced_step());
      fail(Error::Kind::failed, "[train] ", name,
           " is no number any more: got a NaN or an infinity", finite_expected);
    }
  }

  /// Nobody has seen a loss after the last step.
  void check_score() const {
    if (std::isfinite(score_->loss)) return;
    const std::string bad = first_bad_in([&] { evaluate(model_, recipe_, session_.test()); });
    fail(Error::Kind::failed, "[train] the loss on the test set is no number: got ", bad,
         finite_expected, "; this was ", where());
  }

  /// A network whose loss has left all bounds learns no widths, but that is not
  /// what is wrong with it.
  void check_alive(double loss) const {
    constexpr double beyond = 10;  // times the loss of guessing
    const double guessing = std::log(static_cast<double>(session_.data_info().class_names.size()));
    try {
      search_->check_alive();
    } catch (const Error& error) {
      check(loss < beyond * guessing, "[train] the loss has grown out of bounds: got ", loss,
            " in the mean of the epoch; expected less than that of guessing, ", guessing,
            "; try a smaller rate or clip; this was ", where());
      fail(error.kind(), error.what(), "; this was ", where());
    }
  }

  const Session& session_;
  nn::Module& model_;
  const Recipe& recipe_;
  const Training& training_;
  const Stretch& stretch_;
  BitSearch* search_;
  Objective objective_;
  LateChanges late_;
  data::Loader loader_;
  Index per_epoch_, steps_;
  std::vector<nn::Named<Var>> parameters_;
  Position at_;
  std::optional<Score> score_;  // after the last epoch
};

}  // namespace

Score train(const Session& session, nn::Module& model, const Recipe& recipe,
            const Training& training, const Stretch& stretch, BitSearch* search) {
  return Run(session, model, recipe, training, stretch, search).all();
}

}  // namespace fraqat::run
