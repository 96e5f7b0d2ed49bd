#include "models/run/updates.hpp"

#include <algorithm>

#include "quant/quantizer.hpp"

namespace fraqat::run {
namespace {

constexpr std::string_view plateau = "plateau";  // constant, but for what the losses say

optim::Schedule schedule(const Training& training, double rate, Index steps) {
  optim::ScheduleOptions options;
  if (training.schedule != plateau) options.kind = optim::schedule_kind(training.schedule);
  options.base_rate = rate;
  options.total_steps = std::max<Index>(1, steps);
  options.warmup_steps = static_cast<Index>(training.warmup * static_cast<double>(steps));
  options.decay_every = std::max<Index>(1, steps / 3);
  const Index rest = options.total_steps - options.warmup_steps;
  options.milestones = {std::max<Index>(1, rest / 2), std::max<Index>(1, rest * 3 / 4)};
  options.period = std::max<Index>(1, (rest + 6) / 7);  // and twice and four times as much
  options.period_factor = 2;
  return optim::Schedule(options);
}

std::unique_ptr<optim::Optimizer> make_optimizer(const Training& training,
                                                 std::vector<optim::ParameterGroup> groups) {
  const std::string& name = training.optimizer;
  if (name == "adam") return std::make_unique<optim::Adam>(std::move(groups));
  if (name == "adamw") return std::make_unique<optim::AdamW>(std::move(groups));
  if (name == "adagrad") return std::make_unique<optim::Adagrad>(std::move(groups));
  if (name == "lion") return std::make_unique<optim::Lion>(std::move(groups));
  if (name == "rmsprop")
    return std::make_unique<optim::RmsProp>(std::move(groups),
                                            optim::RmsPropOptions{.momentum = training.momentum});
  return std::make_unique<optim::Sgd>(
      std::move(groups), optim::SgdOptions{training.momentum, training.nesterov, false});
}

bool within(const std::vector<Var>& some, const Var& one) {
  return std::any_of(some.begin(), some.end(), [&](const Var& v) { return v.id() == one.id(); });
}

}  // namespace

Updates::Updates(nn::Module& model, const Recipe& recipe, const Training& training, Index steps)
    : training_(training),
      weight_rate_(schedule(training, training.rate, steps)),
      range_rate_(schedule(training, recipe.range_rate, steps)) {
  std::vector<Var> ranges, bits;
  for (quant::Quantizer* q : quant::quantizers(model)) {
    for (const Var& range : q->range().parameters()) ranges.push_back(range);
    if (const Var width = q->bits().parameter()) bits.push_back(width);
  }
  optim::ParameterGroup decayed{{}, 1, training.weight_decay, "weights"};
  optim::ParameterGroup plain{{}, 1, 0, "biases"};
  for (auto& [name, parameter] : nn::parameters(model)) {
    if (within(ranges, *parameter) || within(bits, *parameter)) continue;
    (parameter->value().rank() > 1 ? decayed : plain).parameters.push_back(*parameter);
  }
  weights_ = make_optimizer(training, {decayed, plain});
  if (training.schedule == plateau)
    plateau_ =
        std::make_unique<optim::Plateau>(optim::PlateauOptions{.base_rate = 1, .patience = 2});
  if (training.average > 0) {
    std::vector<Var> averaged = ranges;
    for (const optim::ParameterGroup& group : weights_->groups())
      averaged.insert(averaged.end(), group.parameters.begin(), group.parameters.end());
    average_ = std::make_unique<optim::WeightAverage>(
        std::move(averaged), optim::WeightAverageOptions{.decay = training.average});
  }
  if (!ranges.empty())
    ranges_ =
        std::make_unique<optim::Adam>(std::vector<optim::ParameterGroup>{{ranges, 1, 0, "ranges"}});
}

void Updates::step(Index at) {
  if (training_.clip_value > 0)
    optim::clip_gradients_by_value(weights_->groups(), training_.clip_value);
  if (training_.clip > 0) optim::clip_gradients_by_norm(weights_->groups(), training_.clip);
  weights_->step(rate(at));
  weights_->clear_gradients();
  if (ranges_) {
    ranges_->step(range_rate_.rate(at) * reduced());
    ranges_->clear_gradients();
  }
  if (average_) average_->update();
}

void Updates::finish_epoch(double loss) {
  if (plateau_) plateau_->measure(loss);
}

std::unique_ptr<optim::Averaged> Updates::averaged() const {
  return average_ ? std::make_unique<optim::Averaged>(*average_) : nullptr;
}

void Updates::settle() {
  if (average_) average_->swap_in();
}

void Updates::visit_state(const optim::StateVisitor& visit) {
  weights_->visit_state(visit);
  if (ranges_) ranges_->visit_state(visit);
  if (plateau_) plateau_->visit_state(visit);
  if (average_) average_->visit_state(visit);
}

void Updates::set_steps(Index steps) {
  weights_->set_steps(steps);
  if (ranges_) ranges_->set_steps(steps);
}

}  // namespace fraqat::run
