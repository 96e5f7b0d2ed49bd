#include "models/run/bit_search.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace fraqat::run {
namespace {

constexpr double tail = 0.4;  // share of the search, its end, whose mean width is rounded

double total_elements(const std::vector<quant::Quantizer*>& all) {
  double sum = 0;
  for (const quant::Quantizer* q : all) sum += static_cast<double>(q->info().elements);
  return sum;
}

/// The budget in average bits; 0 if there is none.
double target_of(const Tensors& tensors, const std::vector<quant::Quantizer*>& all) {
  if (tensors.average_bits > 0) return tensors.average_bits;
  if (tensors.bytes <= 0) return 0;
  const double left = tensors.bytes - static_cast<double>(overhead_bytes(all));
  const double target = 8 * left / total_elements(all);
  check(target >= quant::min_bits, "[search] the byte budget is too small: got ", tensors.bytes,
        " bytes; expected at least ",
        overhead_bytes(all) + static_cast<Index>(total_elements(all) * quant::min_bits / 8) +
            static_cast<Index>(all.size()),
        " (", quant::min_bits, " bits everywhere, scales and offsets included)");
  return target;
}

bool is_learned(const quant::Quantizer& q) { return static_cast<bool>(q.bits().parameter()); }

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

Index overhead_bytes(const std::vector<quant::Quantizer*>& weights) {
  Index bytes = 0;
  for (const quant::Quantizer* q : weights) bytes += 8 * q->info().channels + 4 * q->info().rows;
  return bytes;
}

BitSearch::BitSearch(nn::Module& model, const Recipe& recipe)
    : recipe_(recipe), curriculum_(model, recipe) {
  sides_.push_back({quant::Role::weight, "weight", &recipe.weight, {}, nullptr, {}});
  sides_.push_back({quant::Role::activation, "activation", &recipe.activation, {}, nullptr, {}});
  for (quant::Quantizer* q : quant::quantizers(model))
    for (Side& side : sides_)
      if (q->info().role == side.role) side.all.push_back(q);
  std::vector<Var> parameters;
  for (Side& side : sides_) {
    side.sums.assign(side.all.size(), 0);
    if (std::none_of(side.all.begin(), side.all.end(),
                     [](const quant::Quantizer* q) { return is_learned(*q); }))
      continue;
    if (const double target = target_of(*side.tensors, side.all); target > 0) {
      side.budget = std::make_unique<quant::BudgetedBits>(
          side.all, quant::BudgetedBits::Options{target, recipe.bit_rate, 0.4, tail});
      continue;
    }
    for (quant::Quantizer* q : side.all)
      if (is_learned(*q)) {
        priced_.push_back(q);
        parameters.push_back(q->bits().parameter());
      }
  }
  for (const Side& side : sides_) check_feasible(side);
  touched_.assign(priced_.size(), false);
  if (parameters.empty()) return;
  std::vector<optim::ParameterGroup> groups{{parameters, 1, 0, "bits"}};
  if (recipe.bit_optimizer == "sgd")
    optimizer_ = std::make_unique<optim::Sgd>(groups, optim::SgdOptions{0.9, false, false});
  else
    optimizer_ = std::make_unique<optim::Adam>(groups);
}

void BitSearch::before_step(double progress) {
  curriculum_.before_step(progress);
  entropy_price_ = recipe_.entropy * progress;
  for (Side& side : sides_)
    for (quant::Quantizer* q : side.all) q->bits().set_temperature(temperature(recipe_, progress));
}

Var BitSearch::cost() const {
  Var total;
  if (!priced_.empty() && recipe_.lambda != 0)
    total = quant::bit_cost(priced_, recipe_.lambda, recipe_.cost == "quadratic");
  if (entropy_price_ == 0) return total;
  const Var price(Tensor::scalar(static_cast<Real>(entropy_price_)));
  for (const Side& side : sides_)
    for (quant::Quantizer* q : side.all)
      if (const Var entropy = q->bits().entropy_on_tape()) {
        const Var cost = op::mul(entropy, price);
        total = total ? op::add(total, cost) : cost;
      }
  return total;
}

void BitSearch::step(double progress) {
  const bool warm = progress <= recipe_.bit_warmup;
  warm_ |= warm;
  const double way = (progress - recipe_.bit_warmup) / (1 - recipe_.bit_warmup);
  for (Side& side : sides_) {
    if (side.budget && !warm) side.budget->step(way);
    if (side.budget && warm)
      for (quant::Quantizer* q : side.all)
        if (is_learned(*q)) q->bits().parameter().clear_grad();
  }
  if (!optimizer_) return;
  note_task_gradients();
  if (recipe_.bit_optimizer == "sgd")
    for (quant::Quantizer* q : priced_) q->bits().make_natural();
  if (!warm) optimizer_->step(recipe_.bit_rate);
  optimizer_->clear_gradients();
  for (quant::Quantizer* q : priced_) q->bits().project();
  if (way < 1 - tail) return;
  ++tail_steps_;
  for (Side& side : sides_)
    for (std::size_t k = 0; k < side.all.size(); ++k) side.sums[k] += side.all[k]->bits().bits();
}

/// The gradient of a priced width is that of the task and that of its price;
/// what is left without the second, beyond rounding, is the first.
void BitSearch::note_task_gradients() {
  for (std::size_t k = 0; k < priced_.size(); ++k) {
    const quant::BitPolicy& bits = priced_[k]->bits();
    const Var parameter = bits.parameter();
    if (!parameter.grad()) continue;
    const std::span<const Real> values = parameter.value().span();
    std::array<double, quant::Widths::most> copies{};
    std::copy(values.begin(), values.end(), copies.begin());
    const std::span<const double> at(copies.data(), values.size());
    const double force = recipe_.lambda * (recipe_.cost == "quadratic" ? 2 * bits.bits() : 1);
    for (std::size_t i = 0; i < at.size(); ++i) {
      const double price = force * bits.slope(at, i);
      const double task = static_cast<double>(parameter.grad()[static_cast<Index>(i)]) - price;
      if (std::abs(task) > 1e-5 * std::abs(price)) touched_[k] = true;
    }
  }
}

void BitSearch::check_alive() {
  const bool whole_epoch = !warm_;
  warm_ = false;
  if (!whole_epoch) return;
  for (Side& side : sides_)
    if (side.budget) side.budget->check_alive();
  for (std::size_t k = 0; k < priced_.size(); ++k) {
    const quant::Quantizer& q = *priced_[k];
    const double b = q.bits().bits();
    const bool inside = b > q.info().widths.lowest() + 0.01 && b < q.info().widths.highest() - 0.01;
    check(touched_[k] || !inside, "[search] the bit-width of ", q.info().name,
          " is not being learned: its task gradient was 0 through an epoch at b = ", b,
          "; try another start or policy, and see that the tensor is used");
    touched_[k] = false;
  }
}

void BitSearch::describe(nlohmann::ordered_json& line) const {
  if (curriculum_.followed()) line["curriculum_bits"] = curriculum_.width();
  for (const Side& side : sides_)
    if (side.budget) {
      line[std::string("price_") + side.name] = side.budget->price();
      line[std::string("limited_steps_") + side.name] = side.budget->limited_steps();
    }
}

nlohmann::json BitSearch::state() {
  nlohmann::json state = {{"touched", touched_},
                          {"warm", warm_},
                          {"tail_steps", tail_steps_},
                          {"curriculum", curriculum_.state()}};
  for (const Side& side : sides_) {
    state[side.name]["sums"] = side.sums;
    if (side.budget) state[side.name]["budget"] = side.budget->state();
  }
  if (optimizer_)
    optimizer_->visit_state([&](const std::string& name, const Tensor& tensor) {
      state["optimizer"][name] = std::vector<double>(tensor.span().begin(), tensor.span().end());
    });
  return state;
}

void BitSearch::set_state(const nlohmann::json& state) {
  touched_ = state.at("touched").get<std::vector<char>>();
  warm_ = state.at("warm");
  tail_steps_ = state.at("tail_steps");
  curriculum_.set_state(state.at("curriculum"));
  for (Side& side : sides_) {
    side.sums = state.at(side.name).at("sums").get<std::vector<double>>();
    check(side.sums.size() == side.all.size() && touched_.size() == priced_.size(),
          "[search] the state is that of another network");
    if (side.budget)
      side.budget->set_state(state.at(side.name).at("budget").get<std::vector<double>>());
  }
  if (!optimizer_) return;
  optimizer_->visit_state([&](const std::string& name, Tensor& tensor) {
    const auto numbers = state.at("optimizer").at(name).get<std::vector<double>>();
    check(numbers.size() == tensor.span().size(), "[search] ", name, " is of another network");
    std::transform(numbers.begin(), numbers.end(), tensor.data(),
                   [](double x) { return static_cast<float>(x); });
  });
}

std::vector<quant::RoundingItem> BitSearch::items(const Side& side) const {
  const double elements = total_elements(side.all);
  const std::vector<double> gains =
      side.budget ? side.budget->gain() : std::vector<double>(side.all.size());
  std::vector<quant::RoundingItem> items;
  for (std::size_t k = 0; k < side.all.size(); ++k) {
    const quant::Quantizer& q = *side.all[k];
    const quant::Widths& widths = q.info().widths;
    quant::RoundingItem item{q.info().name, q.bits().bits(), q.info().elements, 0, {}};
    if (side.budget)
      item.bits = side.budget->learned_bits()[k];
    else if (tail_steps_)
      item.bits = side.sums[k] / static_cast<double>(tail_steps_);
    // Where the search came to rest inside the bounds, a bit more would gain its
    // price: n_k.  At a bound the measured gain says by how much it differs.
    const double share = static_cast<double>(q.info().elements) / elements;
    const double price = side.budget ? side.budget->mean_price() : 0;
    const double measured = price > 0 ? gains[k] / price : share;
    item.sensitivity = share;
    if (item.bits < widths.lowest() + 0.05)
      item.sensitivity = std::clamp(measured, 0.05 * share, share);
    if (item.bits > widths.highest() - 0.05)
      item.sensitivity = std::clamp(measured, share, 20 * share);
    for (const int b : recipe_.allowed)
      if (is_learned(q) && widths.find(b) >= 0) item.allowed.push_back(b);
    if (!is_learned(q)) item.allowed = {q.hard_bits()};
    check(!item.allowed.empty(), "[round] no allowed width is a candidate of ", item.name,
          "; try round.allowed between ", widths.lowest(), " and ", widths.highest());
    items.push_back(std::move(item));
  }
  return items;
}

bool BitSearch::rounds_to_budget(const Side& side) const {
  return side.budget && quant::rounding_of(recipe_.rounding) == quant::Rounding::budget;
}

quant::Rounded BitSearch::round_to_budget(const Side& side,
                                          const std::vector<quant::RoundingItem>& all) const {
  if (side.tensors->average_bits > 0) {
    const double bits = side.tensors->average_bits * total_elements(side.all);
    return quant::round_to_budget(all, static_cast<Index>(std::floor(bits + 1e-6)),
                                  quant::CostUnit::bits);
  }
  const Index limit = static_cast<Index>(side.tensors->bytes) - overhead_bytes(side.all);
  return quant::round_to_budget(all, limit, quant::CostUnit::bytes);
}

/// Better to learn before the search than after it that no rounding can meet
/// the budget.
void BitSearch::check_feasible(const Side& side) const {
  if (rounds_to_budget(side)) round_to_budget(side, items(side));
}

void BitSearch::round(Side& side, nlohmann::ordered_json& report) {
  const std::vector<quant::RoundingItem> all = items(side);
  const quant::Rounding mode = quant::rounding_of(recipe_.rounding);
  const bool bytes = side.tensors->bytes > 0 && side.tensors->average_bits == 0;
  const quant::Rounded rounded =
      rounds_to_budget(side)
          ? round_to_budget(side, all)
          : quant::round_each(all,
                              mode == quant::Rounding::budget ? quant::Rounding::nearest : mode);
  double cost = 0;
  for (std::size_t k = 0; k < side.all.size(); ++k) {
    side.all[k]->freeze(rounded.bits[k]);
    side.all[k]->set_learned_bits(all[k].bits);
    cost += static_cast<double>(side.all[k]->info().elements) * rounded.bits[k];
  }
  if (!side.budget) return;
  const double reached = bytes ? static_cast<double>(rounded.cost + overhead_bytes(side.all))
                               : cost / total_elements(side.all);
  report[side.name] = {{"unit", bytes ? "bytes" : "average_bits"},
                       {"target", bytes ? side.tensors->bytes : side.tensors->average_bits},
                       {"reached", reached},
                       {"price", side.budget->mean_price()}};
}

nlohmann::ordered_json BitSearch::round() {
  nlohmann::ordered_json report = nlohmann::ordered_json::object();
  for (Side& side : sides_) round(side, report);
  return report;
}

}  // namespace fraqat::run
