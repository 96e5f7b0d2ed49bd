#include <doctest/doctest.h>

#include <functional>

#include "nn/state.hpp"
#include "tests/training/tiny_run.hpp"

namespace fraqat::recipe_effect_test {

// A key that nothing reads any more would be accepted, written to recipe.toml, and lie.

namespace {

using Change = std::function<void(run::Recipe&)>;

/// An mlp that learns widths at a price, one epoch; ranges of what `change` makes of it.
run::Recipe recipe_of(const Change& change) {
  run::Recipe recipe = test::tiny_recipe("mlp");
  recipe.train_limit = recipe.test_limit = 128;
  recipe.batch = 16;
  recipe.calibration_batches = 2;
  recipe.weight.start = recipe.activation.start = 4.5;
  recipe.bit_rate = 0.05;
  recipe.lambda = 0.01;
  change(recipe);
  return recipe;
}

/// Every number of the network after its search, widths included.
std::vector<Real> searched(const run::Recipe& recipe) {
  const test::TinySession session(recipe);
  const auto model = run::make_model(recipe);
  test::quantize(*model, *session, recipe);
  run::BitSearch search(*model, recipe);
  run::train(*session, *model, recipe, recipe.search, {"search"}, &search);
  std::vector<Real> numbers;
  for (const auto& [name, tensor] : nn::state_of(*model))
    numbers.insert(numbers.end(), tensor.span().begin(), tensor.span().end());
  return numbers;
}

/// That `change` makes another network than `start` does.
void check_effect(const char* key, const Change& start, const Change& change) {
  CAPTURE(std::string(key));
  const std::vector<Real> before = searched(recipe_of(start));
  CHECK(before == searched(recipe_of(start)));
  CHECK(before != searched(recipe_of([&](run::Recipe& recipe) {
          start(recipe);
          change(recipe);
        })));
}

void as_it_is(run::Recipe&) {}

}  // namespace

TEST_CASE("recipe: what prices and budgets are told has an effect") {
  check_effect("search.cost", as_it_is, [](run::Recipe& r) { r.cost = "quadratic"; });
  check_effect(
      "search.power", [](run::Recipe& r) { r.cost = "power"; },
      [](run::Recipe& r) { r.power = 4; });
  const Change budget = [](run::Recipe& r) { r.weight.average_bits = 3.5; };
  for (const char* multiplier : {"dual", "pid"})
    check_effect(multiplier, budget, [&](run::Recipe& r) { r.multiplier = multiplier; });
  check_effect("search.bit_optimizer", as_it_is, [](run::Recipe& r) { r.bit_optimizer = "sgd"; });
  check_effect("search.bit_warmup", as_it_is, [](run::Recipe& r) { r.bit_warmup = 0.5; });
  const Change mixture = [](run::Recipe& r) { r.weight.bits = "logits-mixture"; };
  check_effect("search.temperature_schedule", mixture,
               [](run::Recipe& r) { r.temperature_schedule = "linear"; });
  check_effect("search.entropy", mixture, [](run::Recipe& r) { r.entropy = 0.1; });
}

TEST_CASE("recipe: what ranges are told has an effect") {
  const auto of_activations = [](const char* range) {
    return [range](run::Recipe& r) { r.activation.range = range; };
  };
  check_effect("quant.activation.percentile", of_activations("percentile"),
               [](run::Recipe& r) { r.activation.percentile = 90; });
  check_effect("quant.activation.momentum", of_activations("minmax"),
               [](run::Recipe& r) { r.activation.momentum = 0.5; });
  // Adam divides a factor of all gradients of a range out again, but for its epsilon.
  check_effect("quant.weight.gradient_scale", as_it_is,
               [](run::Recipe& r) { r.weight.gradient_scale = "lsq"; });
  check_effect("search.range_rate", as_it_is, [](run::Recipe& r) { r.range_rate = 0.01; });
  for (const char* range : {"minmax", "mse", "kl"})
    check_effect(range, as_it_is, of_activations(range));
}

}  // namespace fraqat::recipe_effect_test
