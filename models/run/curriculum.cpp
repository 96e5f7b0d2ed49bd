#include "models/run/curriculum.hpp"

#include <numeric>

namespace fraqat::run {
namespace {

constexpr double memory = 0.98;    // of the mean loss, from step to step
constexpr Index least_steps = 50;  // that a mean loss is taken over

}  // namespace

Curriculum::Curriculum(nn::Module& model, const Recipe& recipe) : plan_(recipe.curriculum) {
  for (quant::Quantizer* q : quant::quantizers(model)) {
    const Tensors* side = q->info().role == quant::Role::weight       ? &recipe.weight
                          : q->info().role == quant::Role::activation ? &recipe.activation
                                                                      : nullptr;
    if (!side || q->bits().decided()) continue;
    if (side->cap || q->bits().name() == "schedule") followers_.push_back(q);
  }
  limit();
}

void Curriculum::limit() {
  for (quant::Quantizer* q : followers_) q->bits().limit(width());
}

/// The progress at which the width of the moment has had its share.
double Curriculum::share_end() const {
  const auto end = plan_.shares.begin() + static_cast<std::ptrdiff_t>(at_ + 1);
  return std::accumulate(plan_.shares.begin(), end, 0.0);
}

double Curriculum::mean_loss() const { return sum_ / weight_; }

bool Curriculum::recovered(double progress) const {
  if (progress - since_ >= plan_.patience) return true;
  return at_ > 0 && steps_ >= least_steps && mean_loss() <= plateau_ * (1 + plan_.tolerance);
}

void Curriculum::before_step(double progress) {
  if (!followed()) return;
  const auto more = [&] { return at_ + 1 < plan_.widths.size(); };
  if (plan_.mode == "plateau") {
    if (more() && steps_ > 0 && recovered(progress)) {
      plateau_ = mean_loss();
      since_ = progress;
      sum_ = weight_ = 0;
      steps_ = 0;
      ++at_;
    }
  } else {
    constexpr double rounding = 1e-9;  // ten tenths are not quite one
    while (more() && progress >= share_end() - rounding) ++at_;
  }
  limit();
}

void Curriculum::after_step(double loss) {
  sum_ = memory * sum_ + (1 - memory) * loss;
  weight_ = memory * weight_ + (1 - memory);
  ++steps_;
}

void Curriculum::finish() {
  at_ = plan_.widths.size() - 1;
  limit();
}

nlohmann::json Curriculum::state() const {
  return {{"at", at_},         {"since", since_},     {"sum", sum_},
          {"weight", weight_}, {"plateau", plateau_}, {"steps", steps_}};
}

void Curriculum::set_state(const nlohmann::json& state) {
  at_ = state.at("at");
  check(at_ < plan_.widths.size(), "[search] the state is that of another curriculum: got width ",
        at_, " of ", plan_.widths.size());
  since_ = state.at("since");
  sum_ = state.at("sum");
  weight_ = state.at("weight");
  plateau_ = state.at("plateau");
  steps_ = state.at("steps");
  limit();
}

}  // namespace fraqat::run
