#include "models/run/priced_bits.hpp"

#include <algorithm>

namespace fraqat::run {
namespace {

std::vector<quant::Cost> priced_costs(const quant::Workload& workload, const Recipe& recipe) {
  using quant::Role;
  if (recipe.priced == "average_bits")
    return {quant::average_bits(workload, Role::weight),
            quant::average_bits(workload, Role::activation)};
  if (recipe.priced == "bytes") return {quant::model_bytes(workload)};
  if (recipe.priced == "bops") return {quant::bit_operations(workload)};
  if (recipe.priced == "activation_bytes") return {quant::peak_activation_bytes(workload)};
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
      costs_(priced_costs(workload, recipe)) {
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
  if (!costs_.empty()) {
    quant::weigh(price_, costs_, all_);
    for (std::size_t i = 0; i < moved_.size(); ++i) price_.weights[i] = price_.weights[moved_[i]];
    price_.weights.resize(moved_.size());
  }
  return price_.on_tape(priced_);
}

void PricedBits::step(bool warm, bool tail) {
  if (!optimizer_) return;
  if (recipe_.bit_optimizer == "sgd")
    for (quant::Quantizer* q : priced_) q->bits().make_natural();
  if (!warm) optimizer_->step(recipe_.bit_rate);
  optimizer_->clear_gradients();
  for (quant::Quantizer* q : priced_) q->bits().project();
  if (!tail) return;
  ++tail_steps_;
  for (std::size_t i = 0; i < moved_.size(); ++i) sums_[i] += all_[moved_[i]].bits();
}

double PricedBits::learned_bits(std::size_t k) const {
  const auto found = std::find(moved_.begin(), moved_.end(), k);
  if (found == moved_.end() || tail_steps_ == 0) return all_[k].bits();
  return sums_[static_cast<std::size_t>(found - moved_.begin())] / static_cast<double>(tail_steps_);
}

nlohmann::json PricedBits::state() {
  nlohmann::json state = {{"sums", sums_}, {"tail_steps", tail_steps_}};
  if (optimizer_)
    optimizer_->visit_state([&](const std::string& name, const Tensor& tensor) {
      state["optimizer"][name] = std::vector<double>(tensor.span().begin(), tensor.span().end());
    });
  return state;
}

void PricedBits::set_state(const nlohmann::json& state) {
  sums_ = state.at("sums").get<std::vector<double>>();
  tail_steps_ = state.at("tail_steps");
  check(sums_.size() == moved_.size(), "[search] the state is that of another network");
  if (!optimizer_) return;
  optimizer_->visit_state([&](const std::string& name, Tensor& tensor) {
    const auto numbers = state.at("optimizer").at(name).get<std::vector<double>>();
    check(numbers.size() == tensor.span().size(), "[search] ", name, " is of another network");
    std::transform(numbers.begin(), numbers.end(), tensor.data(),
                   [](double x) { return static_cast<float>(x); });
  });
}

}  // namespace fraqat::run
