#include <doctest/doctest.h>

#include "models/run/run.hpp"
#include "models/run/widths.hpp"
#include "nn/state.hpp"
#include "tests/training/tiny_run.hpp"

namespace fraqat::budget_kinds_test {

// Budgets of every kind through a whole run: what was promised is what is deployed.

namespace {

nlohmann::ordered_json result_of(const run::Recipe& recipe) {
  const test::TemporaryDirectory folder;
  run::Observer silent;
  return run::run(recipe, {folder.path(), {}, {}, {}}, silent);
}

run::Recipe tiny(const std::string& model) {
  run::Recipe recipe = test::tiny_recipe(model);
  recipe.train_limit = 160;
  recipe.test_limit = 64;
  recipe.search.epochs = 3;
  recipe.bit_rate = 0.1;
  return recipe;
}

}  // namespace

TEST_CASE("budgets: bytes, bit operations and bytes of activations hold in the packed model") {
  run::Recipe recipe = tiny("lenet5-bn");
  recipe.weight.average_bits = 6;  // replaced: quant.budget has something for the weights
  recipe.budget.bytes = 22000;
  recipe.budget.bops = 5e6;
  recipe.budget.activation_bytes = 2600;
  const nlohmann::ordered_json result = result_of(recipe);
  CHECK_FALSE(result["budget"].contains("weight"));
  for (const char* name : {"bytes", "bops", "activation_bytes"}) {
    CAPTURE(std::string(name));
    const auto& budget = result["budget"][name];
    CHECK(budget["reached"] <= budget["target"]);
  }
  CHECK(result["data_bytes"] == result["budget"]["bytes"]["reached"]);
  CHECK(result["bops"] == result["budget"]["bops"]["reached"]);
  CHECK(result["activation_bytes"] == result["budget"]["activation_bytes"]["reached"]);
  // What binds has a price.
  const auto price_of = [&](const char* name) {
    return result["budget"][name]["price"].get<double>();
  };
  CHECK(price_of("bytes") + price_of("bops") + price_of("activation_bytes") > 0);
  CHECK(result["budget"]["rounding"]["exact"] == true);
  for (const char* when : {"fractional", "searched", "rounded", "finetuned"})
    CHECK(result["gap"].contains(when));
  CHECK(result["gap"]["finetuned"] == result["accuracy"]);
}

TEST_CASE("budgets: residual networks, coupled adds, sets of widths, measured losses, exchanges") {
  run::Recipe recipe = tiny("tiny-resnet");
  recipe.weight.bits = recipe.activation.bits = "interpolated";
  recipe.activation.average_bits = 4;
  recipe.budget.weight_bits = 3.5;
  recipe.budget.bops = 60e6;
  recipe.allowed_weight = {2, 3, 5, 8};
  recipe.allowed_activation = {2, 4, 8};
  recipe.couple_adds = true;
  recipe.losses = "measured";
  recipe.swap = 6;
  recipe.calibration_batches = 1;
  const nlohmann::ordered_json result = result_of(recipe);
  for (const char* name : {"weight", "activation", "bops"})
    CHECK(result["budget"][name]["reached"] <= result["budget"][name]["target"]);
  CHECK(result["budget"]["rounding"]["losses"] == "measured");
  CHECK(result["budget"]["rounding"]["tried"] <= 6);
  CHECK(result["budget"]["rounding"]["tried"] > 0);
  CHECK(result["mismatches"] == 0);
  std::map<std::string, int> bits;
  for (const auto& tensor : result["tensors"]) {
    const std::vector<int>& allowed =
        tensor["role"] == "weight" ? recipe.allowed_weight : recipe.allowed_activation;
    bits[tensor["name"]] = tensor["bits"];
    if (tensor["role"] != "input")
      CHECK(std::count(allowed.begin(), allowed.end(), tensor["bits"].get<int>()) == 1);
  }
  CHECK(bits.at("relu1.output_q") == bits.at("block1.body.bn2.output_q"));
  CHECK(bits.at("block1.output_q") == bits.at("block2.body.bn2.output_q"));
}

TEST_CASE("budgets: too small ones are refused before the search") {
  run::Recipe recipe = tiny("lenet5-bn");
  recipe.budget.activation_bytes = 100;
  CHECK_THROWS_WITH_AS(
      result_of(recipe),
      doctest::Contains("[round] the budget for activation_bytes is below the least there is: got "
                        "100 bytes; expected at least 1960, which the smallest"),
      Error);
}

TEST_CASE("rounding: the true loss leaves the network as it was") {
  run::Recipe recipe = tiny("lenet5-bn");
  recipe.weight.bits = "logits-mixture";
  const test::TinySession session(recipe);
  const auto model = run::make_model(recipe);
  test::quantize(*model, *session, recipe);
  const auto bytes_of = [&] {
    std::vector<float> numbers;
    for (const auto& [name, tensor] : nn::state_of(*model))
      numbers.insert(numbers.end(), tensor.span().begin(), tensor.span().end());
    return numbers;
  };
  const std::vector<float> before = bytes_of();
  const run::TrueLoss loss = run::loss_on_calibration(*session, *model);
  const double first = loss();
  CHECK(first > 0);
  CHECK(loss() == first);
  const double mixed = run::evaluate_as_trained(*model, recipe, (*session).test()).loss;
  CHECK(mixed != run::evaluate(*model, (*session).test(), recipe.batch).loss);
  CHECK(bytes_of() == before);
}

}  // namespace fraqat::budget_kinds_test
