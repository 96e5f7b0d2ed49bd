#include "models/run/bit_search.hpp"

#include <cmath>
#include <numbers>

#include "models/run/budgets.hpp"
#include "models/run/session.hpp"

namespace fraqat::run {
namespace {

constexpr double tail = 0.4;  // share of the search, its end, whose mean width is rounded
constexpr double ramp = 0.4;  // and its beginning, until the budget must hold

/// Falls from temperature_start to temperature_end.
double temperature(const Recipe& recipe, double progress) {
  const double start = recipe.temperature_start, end = recipe.temperature_end;
  const std::string& schedule = recipe.temperature_schedule;
  if (schedule == "constant") return start;
  if (schedule == "linear") return start + (end - start) * progress;
  if (schedule == "cosine")
    return end + (start - end) * (1 + std::cos(std::numbers::pi * progress)) / 2;
  return start * std::pow(end / start, progress);
}

}  // namespace

BitSearch::BitSearch(nn::Module& model, const Recipe& recipe)
    : recipe_(recipe),
      curriculum_(model, recipe),
      workload_(quant::workload_of(model, sample_image(recipe))),
      budgets_(budgets_of(workload_, recipe)),
      task_(workload_.quantizers),
      rounding_(workload_, budgets_, recipe) {
  if (!budgets_.empty())
    budgeted_ = std::make_unique<quant::BudgetedBits>(
        workload_.quantizers, budgets_,
        quant::BudgetedBits::Options{recipe.bit_rate, ramp, tail, recipe.multiplier});
  std::vector<char> priced;
  const std::vector<std::size_t> first = quant::first_sites(workload_.quantizers);
  for (std::size_t k = 0; k < workload_.quantizers.size(); ++k)
    priced.push_back(workload_.quantizers[k]->bits().parameter() &&
                     !(budgeted_ && budgeted_->moves(first[k])));
  priced_ = std::make_unique<PricedBits>(workload_, priced, recipe);
  rounding_.check_feasible();
}

void BitSearch::before_step(double progress) {
  curriculum_.before_step(progress);
  entropy_price_ = recipe_.entropy * progress;
  set_temperature(temperature(recipe_, progress));
}

void BitSearch::set_temperature(double temperature) {
  temperature_ = temperature;
  for (quant::Quantizer* q : workload_.quantizers) q->bits().set_temperature(temperature);
}

Var BitSearch::cost() {
  Var total = priced_->cost();
  if (entropy_price_ == 0) return total;
  const Var price(Tensor::scalar(static_cast<Real>(entropy_price_)));
  for (quant::Quantizer* q : workload_.quantizers)
    if (const Var entropy = q->bits().entropy_on_tape()) {
      const Var cost = op::mul(entropy, price);
      total = total ? op::add(total, cost) : cost;
    }
  return total;
}

void BitSearch::after_backward() {
  task_.note();
  Tape tape;
  if (const Var cost = this->cost()) tape.backward(cost);
}

void BitSearch::step(double progress) {
  const bool warm = progress <= recipe_.bit_warmup;
  const double way = (progress - recipe_.bit_warmup) / (1 - recipe_.bit_warmup);
  if (budgeted_ && !warm) budgeted_->step(way);
  if (budgeted_ && warm) budgeted_->clear_gradients();
  priced_->step(warm, way >= 1 - tail);
}

void BitSearch::describe(nlohmann::ordered_json& line) const {
  if (curriculum_.followed()) line["curriculum_bits"] = curriculum_.width();
  for (std::size_t i = 0; i < budgets_.size(); ++i) {
    const std::string& name = budgets_[i].cost.name;
    line["price_" + name] = budgeted_->price(i);
    line["limited_steps_" + name] = budgeted_->limited_steps(i);
  }
}

nlohmann::json BitSearch::state() {
  nlohmann::json state = {{"task", task_.state()},
                          {"priced", priced_->state()},
                          {"temperature", temperature_},
                          {"curriculum", curriculum_.state()}};
  if (budgeted_) state["budgeted"] = budgeted_->state();
  return state;
}

void BitSearch::set_state(const nlohmann::json& state) {
  task_.set_state(state.at("task").get<std::vector<char>>());
  priced_->set_state(state.at("priced"));
  set_temperature(state.at("temperature"));
  curriculum_.set_state(state.at("curriculum"));
  if (budgeted_) budgeted_->set_state(state.at("budgeted").get<std::vector<double>>());
}

LearnedBits BitSearch::learned() const {
  const std::size_t count = quant::sites_of(workload_.quantizers).size();
  LearnedBits learned{{}, std::vector<double>(count), std::vector<double>(count)};
  if (budgeted_) learned.gain = budgeted_->gain();
  if (budgeted_) learned.price = budgeted_->price_of_a_bit();
  const std::vector<double> means =
      budgeted_ ? budgeted_->learned_bits() : std::vector<double>(count);
  for (std::size_t k = 0; k < count; ++k)
    learned.bits.push_back(budgeted_ && budgeted_->moves(k) ? means[k] : priced_->learned_bits(k));
  return learned;
}

nlohmann::ordered_json BitSearch::round(const TrueLoss& loss) {
  curriculum_.finish();
  nlohmann::ordered_json report = rounding_.round(learned(), loss);
  for (std::size_t i = 0; i < budgets_.size(); ++i) {
    report[budgets_[i].cost.name]["price"] = budgeted_->mean_price(i);
    report[budgets_[i].cost.name]["highest"] = budgeted_->highest_use(i) * budgets_[i].target;
  }
  return report;
}

}  // namespace fraqat::run
