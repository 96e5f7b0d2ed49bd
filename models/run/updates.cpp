#include "models/run/updates.hpp"

#include <algorithm>

#include "quant/quantizer.hpp"

namespace fraqat::run {
namespace {

optim::Schedule schedule(const Training& training, double rate, Index steps) {
  optim::ScheduleOptions options;
  options.kind = optim::schedule_kind(training.schedule);
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
  if (!ranges.empty())
    ranges_ =
        std::make_unique<optim::Adam>(std::vector<optim::ParameterGroup>{{ranges, 1, 0, "ranges"}});
}

void Updates::step(Index at) {
  if (training_.clip > 0) optim::clip_gradients_by_norm(weights_->groups(), training_.clip);
  weights_->step(weight_rate_.rate(at));
  weights_->clear_gradients();
  if (!ranges_) return;
  ranges_->step(range_rate_.rate(at));
  ranges_->clear_gradients();
}

void Updates::visit_state(const optim::StateVisitor& visit) {
  weights_->visit_state(visit);
  if (ranges_) ranges_->visit_state(visit);
}

void Updates::set_steps(Index steps) {
  weights_->set_steps(steps);
  if (ranges_) ranges_->set_steps(steps);
}

}  // namespace fraqat::run
