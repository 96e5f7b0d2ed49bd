#include "models/run/post_training.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "models/run/recipe_toml.hpp"
#include "quant/grid.hpp"

namespace fraqat::run {
namespace {

/// What all recipes without training have in common.
Recipe untrained(const Recipe& network) {
  Recipe recipe;
  recipe.name = network.model + "-" + network.data + "-quantized";
  recipe.seed = network.seed;
  recipe.model = network.model;
  recipe.data = network.data;
  recipe.batch = network.batch;
  recipe.train_limit = network.train_limit;
  recipe.test_limit = network.test_limit;
  for (Tensors* side : {&recipe.weight, &recipe.activation}) {
    side->start = quant::max_bits;
    side->range = "mse";
  }
  recipe.weight.per_channel = true;
  recipe.losses = "measured";
  recipe.reestimate_batches = 32;  // the weights are as they were: fewer batches tell enough
  return recipe;
}

bool budget_on_weights(const Recipe& r) {
  return r.weight.average_bits > 0 || r.weight.bytes > 0 || r.budget.weight_bits > 0 ||
         r.budget.bytes > 0 || r.budget.bops > 0;
}

bool budget_on_activations(const Recipe& r) {
  return r.activation.average_bits > 0 || r.budget.activation_bits > 0 ||
         r.budget.activation_bytes > 0 || r.budget.bops > 0;
}

/// The policy of a side, and a start that its bounds, as `asked`, allow: where a budget
/// asks for an average, what a tensor loses is measured there.  Without a search every
/// policy that learns is alike: it only has candidates to choose from.
void choose(Tensors& side, const Tensors& asked, bool widths_are_found, double average) {
  side.bits = widths_are_found ? "stochastic" : "fixed";
  const double wanted = average > 0 ? average : side.start;
  side.start = std::max<double>(asked.lowest, std::min<double>(wanted, asked.highest));
  if (!widths_are_found) side.lowest = std::min<int>(side.lowest, static_cast<int>(asked.start));
}

}  // namespace

Recipe post_training_recipe(const Recipe& network, const std::vector<std::string>& settings,
                            bool sensitivity) {
  Recipe asked = untrained(network);
  set_keys(asked, settings);
  check_usage(asked.quantize, "[quantize] nothing to do: got quant.enabled = false; expected true");
  Recipe recipe = untrained(network);
  choose(recipe.weight, asked.weight, sensitivity || budget_on_weights(asked),
         std::max(asked.weight.average_bits, asked.budget.weight_bits));
  choose(recipe.activation, asked.activation, sensitivity || budget_on_activations(asked),
         std::max(asked.activation.average_bits, asked.budget.activation_bits));
  override_keys(recipe, settings);
  return recipe;
}

}  // namespace fraqat::run
