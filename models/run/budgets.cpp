#include "models/run/budgets.hpp"

#include <algorithm>

#include "models/run/recipe_keys.hpp"

namespace fraqat::run {
namespace {

bool any_learned(const quant::Workload& workload, quant::Role role) {
  return std::any_of(workload.quantizers.begin(), workload.quantizers.end(),
                     [role](const quant::Quantizer* q) {
                       return q->info().role == role && q->bits().parameter();
                     });
}

}  // namespace

std::vector<quant::Budget> budgets_of(const quant::Workload& workload, const Recipe& recipe) {
  const Budgets& given = recipe.budget;
  const bool weights = any_learned(workload, quant::Role::weight);
  const bool activations = any_learned(workload, quant::Role::activation);
  const bool new_weights = given.weight_bits > 0 || given.bytes > 0;
  const bool new_activations = given.activation_bits > 0 || given.activation_bytes > 0;
  const double weight_bits = new_weights ? given.weight_bits : recipe.weight.average_bits;
  const double bytes = new_weights ? given.bytes : recipe.weight.bytes;
  const double activation_bits =
      new_activations ? given.activation_bits : recipe.activation.average_bits;
  std::vector<quant::Budget> budgets;
  const auto add = [&](bool learned, double target, const quant::Cost& cost) {
    if (target == 0) return;
    check_usage(learned, "[recipe] a budget for ", cost.name, " where every width is given: got ",
                to_text(target), " ", cost.unit,
                "; expected a learned width that it counts; try 0, no budget, or fewer "
                "quant.weight_bits and quant.activation_bits");
    budgets.push_back({cost, target});
  };
  using quant::Role;
  add(weights, weight_bits, quant::average_bits(workload, Role::weight));
  add(activations, activation_bits, quant::average_bits(workload, Role::activation));
  add(weights, bytes, quant::model_bytes(workload));
  add(weights || activations, given.bops, quant::bit_operations(workload));
  add(activations, given.activation_bytes, quant::peak_activation_bytes(workload));
  return budgets;
}

Counts counts_of(const quant::Workload& workload) {
  const std::vector<quant::Width> bits = quant::hard_widths(workload.quantizers);
  const auto whole = [&](const quant::Cost& cost) { return static_cast<Index>(cost.exact(bits)); };
  return {whole(quant::model_bytes(workload)), whole(quant::bit_operations(workload)),
          whole(quant::peak_activation_bytes(workload))};
}

}  // namespace fraqat::run
