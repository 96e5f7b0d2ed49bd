#include "models/run/check_network.hpp"

#include <doctest/doctest.h>

#include "core/error.hpp"
#include "models/run/run.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/training/tiny_run.hpp"

namespace fraqat::check_network_test {

namespace {

/// What check_network says, having made sure that a run says the same and leaves nothing.
std::string refusal(const run::Recipe& recipe) {
  const test::TemporaryDirectory folder;
  run::Observer silent;
  std::string said = "nothing";
  try {
    run::check_network(recipe);
  } catch (const Error& error) {
    CHECK(error.kind() == Error::Kind::usage);
    said = error.what();
    CHECK_THROWS_WITH_AS(run::run(recipe, {folder / "run", {}, {}, {}}, silent), said.c_str(),
                         Error);
    CHECK_FALSE(std::filesystem::exists(folder / "run"));
  }
  return said;
}

run::Recipe learned(const std::string& model = "lenet5") {
  run::Recipe recipe = test::tiny_recipe(model);
  recipe.weight.bits = recipe.activation.bits = "stochastic";
  recipe.weight.start = recipe.activation.start = 3;
  return recipe;
}

const run::WidthsByLayer all_weights = {
    {"conv1", 8}, {"conv2", 8}, {"fc1", 8}, {"fc2", 8}, {"fc3", 8}};

}  // namespace

TEST_CASE("check_network: a network that can follow its recipe, or stays float") {
  run::Recipe recipe = learned();
  CHECK(refusal(recipe) == "nothing");
  recipe.budget.bytes = 20000;
  recipe.budget.bops = 1e19;
  CHECK(refusal(recipe) == "nothing");
  recipe.budget.bytes = 100;
  recipe.quantize = false;
  CHECK(refusal(recipe) == "nothing");
}

TEST_CASE("check_network: layers and sums that are not there") {
  run::Recipe recipe = learned();
  recipe.activation_bits = {{"pool9", 4}};
  CHECK(refusal(recipe).find("no quantized output: got pool9") != std::string::npos);
  recipe.activation_bits = {};
  recipe.sum_bits = 8;
  CHECK(refusal(recipe).find("the network has none: got sum_bits = 8") != std::string::npos);
}

TEST_CASE("check_network: a width to be learned needs a choice") {
  run::Recipe recipe = learned();
  recipe.weight.lowest = recipe.weight.highest = 3;
  CHECK(refusal(recipe) ==
        "[quant] a learned width needs a choice: got one candidate, 3 bits; expected at least 2");
}

TEST_CASE("check_network: a budget below the least, or where every width is given") {
  run::Recipe recipe = learned();
  recipe.budget.bytes = 100;
  CHECK(
      refusal(recipe).starts_with("[round] the budget for bytes is below the least there is: got "
                                  "100 bytes; expected at least "));
  recipe.weight_bits = all_weights;
  recipe.budget.bytes = 1e6;
  CHECK(refusal(recipe).starts_with(
      "[recipe] a budget for bytes where every width is given: got 1000000 bytes; expected "));
  recipe.budget.bytes = 0;
  recipe.weight.average_bits = 2.5;
  CHECK(refusal(recipe).starts_with(
      "[recipe] a budget for weight where every width is given: got 2.5 average_bits; expected "));
  recipe.weight.average_bits = 0;
  recipe.budget.bops = 2e7;  // activations are learned still
  CHECK(refusal(recipe) == "nothing");
}

TEST_CASE("check_network: coupled tensors without a common width, however they are rounded") {
  run::Recipe recipe = learned("tiny-resnet");
  recipe.couple_adds = true;
  recipe.allowed_activation = {2, 4, 8};
  recipe.activation_bits = {{"relu1", 3}};
  for (const char* rounding : {"budget", "nearest"}) {
    recipe.rounding = rounding;
    CHECK(refusal(recipe).find(" must have the same width: got no allowed width that both have") !=
          std::string::npos);
  }
}

}  // namespace fraqat::check_network_test
