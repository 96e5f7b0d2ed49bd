#include <doctest/doctest.h>

#include <cmath>

#include "nn/state.hpp"
#include "quant/bits_by_name.hpp"
#include "tests/training/tiny_run.hpp"

namespace fraqat::every_policy_test {

// What learns meets a budget, and gives way to a price.

namespace {

run::Recipe recipe_of(const std::string& bits) {
  run::Recipe recipe = test::tiny_recipe("mlp");
  recipe.train_limit = 640;
  recipe.test_limit = 32;
  recipe.batch = 16;
  recipe.weight.bits = recipe.activation.bits = bits;
  recipe.weight.start = recipe.activation.start = 4.5;
  recipe.bit_rate = 0.1;
  recipe.rounding = "nearest";
  return recipe;
}

/// A search that is about to begin; the recipe outlives it.
struct Beginning {
  explicit Beginning(const run::Recipe& recipe) : session(recipe), model(run::make_model(recipe)) {
    test::quantize(*model, *session, recipe);
    search = std::make_unique<run::BitSearch>(*model, recipe);
  }

  test::TinySession session;
  std::unique_ptr<nn::Module> model;
  std::unique_ptr<run::BitSearch> search;
};

/// Average width of the weights after a search.
double searched_bits(const run::Recipe& recipe) {
  const Beginning at(recipe);
  run::train(*at.session, *at.model, recipe, recipe.search, {"search"}, at.search.get());
  return quant::average_bits(quant::quantizers(*at.model), quant::Role::weight, false);
}

bool learns(const std::string& bits) { return bits != "fixed" && bits != "schedule"; }

}  // namespace

TEST_CASE("every policy: the average of the weights meets its budget at the end of the search") {
  for (const std::string& bits : quant::bit_policies()) {
    if (!learns(bits)) continue;
    CAPTURE(bits);
    run::Recipe recipe = recipe_of(bits);
    recipe.weight.average_bits = recipe.activation.average_bits = 3.25;
    CHECK(searched_bits(recipe) == doctest::Approx(3.25).epsilon(0.01));
  }
}

TEST_CASE("every policy: only widths that the hardware has are searched among") {
  for (const std::string& bits : quant::bit_policies()) {
    if (!learns(bits)) continue;
    CAPTURE(bits);
    run::Recipe recipe = recipe_of(bits);
    recipe.allowed_weight = {4, 8};
    recipe.weight.start = 7;
    recipe.weight.average_bits = 5;
    recipe.allowed = {2, 4, 8};
    recipe.activation.average_bits = 3.25;
    const Beginning at(recipe);
    for (const quant::Quantizer* q : quant::quantizers(*at.model)) {
      if (!q->bits().parameter()) continue;
      const bool weight = q->info().role == quant::Role::weight;
      CHECK(q->info().widths.count() == (weight ? 2 : 3));
      CHECK(q->info().widths.find(3) < 0);
    }
    run::train(*at.session, *at.model, recipe, recipe.search, {"search"}, at.search.get());
    const auto average = [&](quant::Role role) {
      return quant::average_bits(quant::quantizers(*at.model), role, false);
    };
    CHECK(average(quant::Role::weight) == doctest::Approx(5).epsilon(0.01));
    CHECK(average(quant::Role::activation) == doctest::Approx(3.25).epsilon(0.01));
  }
}

TEST_CASE("every policy: a higher price means fewer bits, under SGD and Adam") {
  for (const std::string& bits : quant::bit_policies()) {
    if (!learns(bits)) continue;
    for (const char* optimizer : {"sgd", "adam"}) {
      CAPTURE(bits);
      CAPTURE(std::string(optimizer));
      run::Recipe recipe = recipe_of(bits);
      recipe.bit_optimizer = optimizer;
      if (recipe.bit_optimizer == "adam") recipe.bit_rate = 0.02;
      recipe.lambda = 0.001;
      const double cheap = searched_bits(recipe);
      recipe.lambda = 1;
      const double dear = searched_bits(recipe);
      CHECK(dear < cheap - 0.2);
      CHECK(dear < 4.3);
    }
  }
}

TEST_CASE("every policy: what prices and entropy ask of a width is not taken for learning") {
  run::Recipe recipe = recipe_of("logits-mixture");
  recipe.entropy = 0.1;
  recipe.lambda = 0.1;
  const Beginning at(recipe);
  const auto& model = at.model;
  const auto& search = at.search;
  search->before_step(0.5);
  search->after_backward();  // of no task at all
  Real pushed = 0;
  for (quant::Quantizer* q : quant::quantizers(*model))
    if (const Var parameter = q->bits().parameter())
      for (const Real g : parameter.grad().span()) pushed = std::max(pushed, std::abs(g));
  CHECK(pushed > 0);
  CHECK_THROWS_WITH_AS(search->check_alive(),
                       doctest::Contains("is not being learned: got a task gradient of exactly 0"),
                       Error);
}

namespace {

/// What the price of a bit pushes at b = 4.5 after no task at all, summed over weights and over
/// activations.
std::pair<double, double> pushes(const std::string& priced, const std::string& cost = "linear") {
  run::Recipe recipe = recipe_of("stochastic");
  recipe.lambda = 1;
  recipe.priced = priced;
  recipe.cost = cost;
  recipe.power = 2.5;
  const Beginning at(recipe);
  const auto& model = at.model;
  const auto& search = at.search;
  search->after_backward();
  std::pair<double, double> sums;
  for (quant::Quantizer* q : quant::quantizers(*model))
    if (const Var parameter = q->bits().parameter(); parameter && parameter.grad())
      (q->info().role == quant::Role::weight ? sums.first : sums.second) +=
          static_cast<double>(parameter.grad().item());
  return sums;
}

}  // namespace

TEST_CASE("every policy: what is priced, and what a bit everywhere costs then") {
  const auto check = [](const char* priced, double weights, double activations) {
    CAPTURE(std::string(priced));
    const auto [pushed, activations_pushed] = pushes(priced);
    CHECK(pushed == doctest::Approx(weights).epsilon(1e-4));
    CHECK(activations_pushed == doctest::Approx(activations).epsilon(1e-4));
  };
  check("bits", 3, 2);  // tensors of an mlp
  CHECK(pushes("bits", "quadratic").first == doctest::Approx(3 * 2 * 4.5));
  CHECK(pushes("bits", "power").second == doctest::Approx(2 * 2.5 * std::pow(4.5, 1.5)));
  check("average_bits", 1, 1);
  check("bytes", 1, 0);
  const auto [peak_weights, peak_activations] = pushes("activation_bytes");
  CHECK(peak_weights == 0);
  CHECK(peak_activations > 0);
  const auto [left, right] = pushes("bops");
  CHECK(left > 0);
  CHECK(right > 0);
}

TEST_CASE("every policy: with fractional widths, every batch draws its own") {
  const run::Recipe recipe = recipe_of("stochastic");  // at 4.5, two batches
  const Beginning at(recipe);
  const auto& test = (*at.session).test();
  const double drawn = run::evaluate_as_trained(*at.model, recipe, test).loss;
  CHECK(drawn == run::evaluate_as_trained(*at.model, recipe, test).loss);
  const TrainingStep one({recipe.seed, 0, 0});
  CHECK(drawn != run::evaluate(*at.model, test, recipe.batch).loss);
}

TEST_CASE("every policy: the temperature falls as the recipe says, entropy is paid for") {
  run::Recipe recipe = recipe_of("logits-mixture");
  recipe.temperature_start = 2;
  recipe.temperature_end = 0.5;
  const Beginning at(recipe);
  const auto& model = at.model;
  const auto& search = at.search;
  quant::BitPolicy* policy = nullptr;
  for (quant::Quantizer* q : quant::quantizers(*model))
    if (q->bits().parameter()) policy = &q->bits();
  REQUIRE(policy);
  // b as it is at a temperature, to compare with.
  const auto bits_at = [&](double temperature) {
    policy->set_temperature(temperature);
    return policy->bits();
  };
  const auto bits_after = [&](const char* schedule, double progress) {
    recipe.temperature_schedule = schedule;
    search->before_step(progress);
    return policy->bits();
  };
  CHECK(bits_after("exponential", 0.5) == doctest::Approx(bits_at(1)));
  CHECK(bits_after("linear", 0.5) == doctest::Approx(bits_at(1.25)));
  CHECK(bits_after("linear", 0.25) == doctest::Approx(bits_at(1.625)));
  CHECK(bits_after("cosine", 0.25) == doctest::Approx(bits_at(1.25 + 0.75 * 0.70710678)));
  CHECK(bits_after("constant", 0.9) == doctest::Approx(bits_at(2)));
  CHECK_FALSE(static_cast<bool>(search->cost()));
  recipe.entropy = 0.04;
  search->before_step(0.5);
  double entropy = 0;
  for (quant::Quantizer* q : quant::quantizers(*model))
    if (const Var h = q->bits().entropy_on_tape()) entropy += double(h.value().item());
  REQUIRE(entropy > 0);
  CHECK(double(search->cost().value().item()) == doctest::Approx(0.02 * entropy).epsilon(1e-4));
}

TEST_CASE("every policy: a checkpoint of a search has the widths that the search came to") {
  for (const std::string& bits : quant::bit_policies()) {
    CAPTURE(bits);
    run::Recipe recipe = recipe_of(bits);
    recipe.weight.average_bits = recipe.activation.average_bits = learns(bits) ? 3.25 : 0;
    if (!learns(bits)) recipe.weight.start = recipe.activation.start = 4;
    const Beginning at(recipe);
    run::train(*at.session, *at.model, recipe, recipe.search, {"search"}, at.search.get());
    const std::string path = (*at.session).checkpoint("search");
    run::save_checkpoint(path, *at.model, recipe, "search");
    const run::Loaded loaded = run::load_checkpoint(path);
    const auto expected = quant::quantizers(*at.model), found = quant::quantizers(*loaded.model);
    REQUIRE(found.size() == expected.size());
    for (std::size_t k = 0; k < found.size(); ++k)
      CHECK(found[k]->learned_bits() == expected[k]->learned_bits());
  }
}

TEST_CASE("every policy: a checkpoint with a temperature that is none is refused") {
  const run::Recipe recipe = recipe_of("bell-mixture");
  const Beginning at(recipe);
  at.search->before_step(0.5);
  const std::string path = (*at.session).checkpoint("search");
  run::save_checkpoint(path, *at.model, recipe, "search");
  nn::SafeTensors file = nn::read_safetensors(path);
  REQUIRE(file.metadata.count("fraqat.temperature") == 1);
  for (const char* bad : {"cold", "", "0", "-1", "[1]", "1e999"}) {
    file.metadata["fraqat.temperature"] = bad;
    write_file_atomically(path, nn::serialize(file));
    CHECK_THROWS_WITH_AS(run::load_checkpoint(path),
                         doctest::Contains("fraqat.temperature is none: got"), Error);
  }
}

}  // namespace fraqat::every_policy_test
