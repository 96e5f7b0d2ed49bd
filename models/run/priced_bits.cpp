#include "models/run/priced_bits.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace fraqat::run {
namespace {

/// The sum that the price is for.
quant::Sum priced_sum(const quant::Workload& workload, const Recipe& recipe) {
  if (recipe.priced == "bytes") return quant::model_bytes(workload).sums[0];
  if (recipe.priced == "bops") return quant::bit_operations(workload).sums[0];
  return {};
}

double power_of(const Recipe& recipe) {
  return recipe.cost == "linear" ? 1 : recipe.cost == "quadratic" ? 2 : recipe.power;
}

}  // namespace

PricedBits::PricedBits(const quant::Workload& workload, const std::vector<char>& moved,
                       const Recipe& recipe)
    : recipe_(recipe),
      all_(quant::sites_of(workload.quantizers)),
      sum_(priced_sum(workload, recipe)) {
  price_ = {recipe.lambda, power_of(recipe)};
  std::vector<Var> parameters;
  for (std::size_t k = 0; k < workload.quantizers.size(); ++k)
    if (moved[k]) {
      priced_.push_back(workload.quantizers[k]);
      parameters.push_back(priced_.back()->bits().parameter());
    }
  for (std::size_t k = 0; k < all_.size(); ++k)
    if (std::find(priced_.begin(), priced_.end(), all_[k].quantizer) != priced_.end())
      moved_.push_back(k);
  weigh_rows();
  touched_.assign(priced_.size(), false);
  sums_.assign(moved_.size(), 0);
  if (parameters.empty()) return;
  std::vector<optim::ParameterGroup> groups{{parameters, 1, 0, "bits"}};
  if (recipe.bit_optimizer == "sgd")
    optimizer_ = std::make_unique<optim::Sgd>(groups, optim::SgdOptions{0.9, false, false});
  else
    optimizer_ = std::make_unique<optim::Adam>(groups);
}

/// A tensor counts once, however many rows it has.
void PricedBits::weigh_rows() {
  if (moved_.size() == priced_.size()) return;
  for (const std::size_t k : moved_)
    price_.weights.push_back(1 / static_cast<double>(all_[k].quantizer->width_count()));
}

Var PricedBits::cost() {
  if (priced_.empty() || recipe_.lambda == 0) return {};
  if (!sum_.terms.empty()) {
    quant::weigh(price_, sum_, all_, widths_);
    for (std::size_t i = 0; i < moved_.size(); ++i) price_.weights[i] = price_.weights[moved_[i]];
    price_.weights.resize(moved_.size());
  }
  return price_.on_tape(priced_);
}

void PricedBits::step(bool warm, bool tail) {
  if (!optimizer_) return;
  note_task_gradients();
  if (recipe_.bit_optimizer == "sgd")
    for (quant::Quantizer* q : priced_) q->bits().make_natural();
  if (!warm) optimizer_->step(recipe_.bit_rate);
  optimizer_->clear_gradients();
  for (quant::Quantizer* q : priced_) q->bits().project();
  if (!tail) return;
  ++tail_steps_;
  for (std::size_t i = 0; i < moved_.size(); ++i) sums_[i] += all_[moved_[i]].bits();
}

/// The gradient of a priced width is that of the task and that of its price;
/// what is left without the second, beyond rounding, is the first.
void PricedBits::note_task_gradients() {
  std::size_t site = 0;
  for (std::size_t k = 0; k < priced_.size(); ++k) {
    const quant::BitPolicy& bits = priced_[k]->bits();
    const std::size_t first = std::exchange(site, site + static_cast<std::size_t>(bits.rows()));
    const Var parameter = bits.parameter();
    if (!parameter.grad()) continue;
    const Index size = parameter.value().size() / bits.rows();
    std::array<double, quant::Widths::most> copies{};
    for (Index row = 0; row < bits.rows(); ++row) {
      std::copy_n(parameter.value().data() + row * size, size, copies.begin());
      const std::span<const double> at(copies.data(), static_cast<std::size_t>(size));
      const double force = price_.slope(first + static_cast<std::size_t>(row), bits.bits(row));
      for (std::size_t i = 0; i < at.size(); ++i) {
        const double price = force * bits.slope(at, i);
        const Real gradient = parameter.grad()[row * size + static_cast<Index>(i)];
        const double task = static_cast<double>(gradient) - price;
        if (std::abs(task) > 1e-5 * std::abs(price)) touched_[k] = true;
      }
    }
  }
}

/// A row alone may have no gradient, as BudgetedBits::check_alive says.
void PricedBits::check_alive() {
  for (std::size_t k = 0; k < priced_.size(); ++k) {
    const quant::Quantizer& q = *priced_[k];
    const quant::Widths& widths = q.info().widths;
    bool inside = false;
    double b = 0;
    for (Index row = 0; row < q.width_count() && !inside; ++row) {
      b = q.bits().bits(row);
      inside = b > widths.lowest() + 0.01 && b < widths.highest() - 0.01;
    }
    check(touched_[k] || !inside, "[search] the bit-width of ", q.info().name,
          " is not being learned: its task gradient was 0 through an epoch at b = ", b,
          "; try another start or policy, and see that the tensor is used");
    touched_[k] = false;
  }
}

double PricedBits::learned_bits(std::size_t k) const {
  const auto found = std::find(moved_.begin(), moved_.end(), k);
  if (found == moved_.end() || tail_steps_ == 0) return all_[k].bits();
  return sums_[static_cast<std::size_t>(found - moved_.begin())] / static_cast<double>(tail_steps_);
}

nlohmann::json PricedBits::state() {
  nlohmann::json state = {{"touched", touched_}, {"sums", sums_}, {"tail_steps", tail_steps_}};
  if (optimizer_)
    optimizer_->visit_state([&](const std::string& name, const Tensor& tensor) {
      state["optimizer"][name] = std::vector<double>(tensor.span().begin(), tensor.span().end());
    });
  return state;
}

void PricedBits::set_state(const nlohmann::json& state) {
  touched_ = state.at("touched").get<std::vector<char>>();
  sums_ = state.at("sums").get<std::vector<double>>();
  tail_steps_ = state.at("tail_steps");
  check(sums_.size() == moved_.size() && touched_.size() == priced_.size(),
        "[search] the state is that of another network");
  if (!optimizer_) return;
  optimizer_->visit_state([&](const std::string& name, Tensor& tensor) {
    const auto numbers = state.at("optimizer").at(name).get<std::vector<double>>();
    check(numbers.size() == tensor.span().size(), "[search] ", name, " is of another network");
    std::transform(numbers.begin(), numbers.end(), tensor.data(),
                   [](double x) { return static_cast<float>(x); });
  });
}

}  // namespace fraqat::run
