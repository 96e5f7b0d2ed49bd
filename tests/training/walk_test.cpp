#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "models/run/budgets.hpp"
#include "models/run/deployment.hpp"
#include "models/run/run.hpp"
#include "nn/state.hpp"
#include "quant/bits_by_name.hpp"
#include "tests/training/tiny_run.hpp"

namespace fraqat::walk_test {

// Every kind of quantizer and every network goes the whole way, and the engine
// computes the integers that were evaluated.

using nlohmann::ordered_json;

namespace {

ordered_json run_quietly(const run::Recipe& recipe) {
  const test::TemporaryDirectory folder;
  run::Observer silent;
  return run::run(recipe, {folder.path(), {}, {}, {}}, silent);
}

/// Calibration, search, rounding, fine-tuning, packing and verification of a
/// float network; the number of different integers.
Index mismatches_of(const run::Session& session, const run::Recipe& recipe,
                    const nn::NamedTensors& start) {
  const auto model = run::make_model(recipe);
  nn::apply_state(*model, start, "the float network");
  test::quantize(*model, session, recipe);
  run::BitSearch search(*model, recipe);
  run::train(session, *model, recipe, recipe.search, {"search"}, &search);
  search.round();
  const run::Counts predicted = run::counts_of(search.workload());
  run::train(session, *model, recipe, recipe.finetune, {"finetune", 1});
  run::reestimate_batch_norm(session, *model, recipe);
  const deploy::Graph graph = run::lower(*model, recipe);
  const deploy::Packed packed =
      deploy::unpack(deploy::pack(graph, run::model_info(recipe)), "the walk");
  const run::Counts counted{deploy::data_bytes(packed.graph), deploy::bit_operations(packed.graph),
                            deploy::peak_activation_bytes(packed.graph)};
  CHECK(counted == predicted);
  const auto batches = run::batches_of(session.test(), recipe.batch);
  const deploy::Verification verified = deploy::verify(packed.graph, &graph, nullptr, batches);
  CHECK(verified.samples == session.test()->size());
  CHECK(verified.graph_differences.empty());
  return verified.different_integers();
}

}  // namespace

namespace {

run::Recipe short_walk() {
  run::Recipe recipe = test::tiny_recipe("tiny-resnet");
  recipe.batch = 4;
  recipe.train_limit = 8;
  recipe.test_limit = 12;
  recipe.weight.highest = recipe.activation.highest = 5;
  recipe.calibration_batches = 1;
  recipe.reestimate_batches = 1;
  return recipe;
}

nn::NamedTensors trained(const run::Session& session, const run::Recipe& recipe) {
  const auto model = run::make_model(recipe);
  run::train(session, *model, recipe, recipe.float_training, {"float"});
  return nn::state_of(*model);
}

}  // namespace

TEST_CASE("walk: every policy, range, granularity and kind of codes verifies") {
  run::Recipe recipe = short_walk();
  const test::TinySession session(recipe);
  const nn::NamedTensors start = trained(*session, recipe);
  int pairs = 0;
  for (const std::string& bits : quant::bit_policies())
    for (const char* range : {"minmax", "percentile", "mse", "kl", "learned"})
      // Every other pair of the two: combinations_test.cpp has all combinations, a step each.
      for (const bool affine : {false, true}) {
        const bool per_channel = affine == (pairs++ / 2 % 2 == 0);
        // Like mse once they are set, so two policies are enough.
        const bool fitted =
            std::string_view(range) == "kl" || std::string_view(range) == "percentile";
        if (fitted && bits != "fixed" && bits != "stochastic") continue;
        CAPTURE(bits);
        CAPTURE(std::string(range));
        CAPTURE(per_channel);
        CAPTURE(affine);
        recipe.weight.bits = recipe.activation.bits = bits;
        recipe.weight.range = recipe.activation.range = range;
        recipe.weight.per_channel = per_channel;
        recipe.activation.affine = affine;
        CHECK(mismatches_of(*session, recipe, start) == 0);
      }
}

TEST_CASE(
    "walk: every policy that learns, another one on the other side, both under the curriculum") {
  run::Recipe recipe = short_walk();
  recipe.weight.highest = recipe.activation.highest = 8;
  recipe.weight.cap = recipe.activation.cap = true;
  const test::TinySession session(recipe);
  const nn::NamedTensors start = trained(*session, recipe);
  std::vector<std::string> learned;
  for (const std::string& bits : quant::bit_policies())
    if (bits != "fixed" && bits != "schedule") learned.push_back(bits);
  REQUIRE(learned.size() > 2);
  for (std::size_t i = 0; i < learned.size(); ++i) {
    recipe.weight.bits = learned[i];
    recipe.activation.bits = learned[(i + 1) % learned.size()];
    CAPTURE(recipe.weight.bits);
    CHECK(mismatches_of(*session, recipe, start) == 0);
  }
}

TEST_CASE("walk: every policy with wide sums, and weights with all codes") {
  run::Recipe recipe = short_walk();
  recipe.sum_bits = 8;
  recipe.weight.narrow_range = false;
  const test::TinySession session(recipe);
  const nn::NamedTensors start = trained(*session, recipe);
  for (const std::string& bits : quant::bit_policies()) {
    CAPTURE(bits);
    recipe.weight.bits = recipe.activation.bits = bits;
    recipe.weight.per_channel = recipe.activation.affine;
    recipe.activation.affine = !recipe.activation.affine;
    CHECK(mismatches_of(*session, recipe, start) == 0);
  }
}

TEST_CASE("walk: every policy that can has a width for each channel in the packed file") {
  run::Recipe recipe = short_walk();
  recipe.weight.per_channel = recipe.weight.bits_per_channel = true;
  recipe.weight.random_start = true;  // or there would be nothing to tell apart
  recipe.rounding = "nearest";
  const test::TinySession session(recipe);
  const nn::NamedTensors start = trained(*session, recipe);
  for (const std::string& bits : quant::bit_policies()) {
    if (!quant::has_row_widths(bits)) continue;
    for (const char* range : {"minmax", "mse", "learned"}) {
      CAPTURE(bits);
      CAPTURE(std::string(range));
      recipe.weight.bits = recipe.activation.bits = bits;
      recipe.weight.range = recipe.activation.range = range;
      recipe.activation.affine = !recipe.activation.affine;
      CHECK(mismatches_of(*session, recipe, start) == 0);
    }
  }
}

TEST_CASE("walk: every policy that learns ends at level counts in the packed file") {
  run::Recipe recipe = short_walk();
  recipe.allowed = {};
  recipe.allowed_levels = {3, 5, 6, 7, 9, 11, 12, 13, 19, 22, 27};
  recipe.weight.random_start = recipe.activation.random_start = true;
  recipe.rounding = "nearest";
  const test::TinySession session(recipe);
  const nn::NamedTensors start = trained(*session, recipe);
  for (const std::string& bits : quant::bit_policies()) {
    if (bits == "fixed" || bits == "schedule") continue;
    for (const char* range : {"minmax", "mse", "learned"}) {
      CAPTURE(bits);
      CAPTURE(std::string(range));
      recipe.weight.bits = recipe.activation.bits = bits;
      recipe.weight.range = recipe.activation.range = range;
      recipe.weight.per_channel = recipe.activation.affine;
      recipe.activation.affine = !recipe.activation.affine;
      CHECK(mismatches_of(*session, recipe, start) == 0);
    }
  }
}

TEST_CASE("walk: a whole run of channels or of level counts meets its budgets and is verified") {
  for (const bool channels : {false, true}) {
    CAPTURE(channels);
    run::Recipe recipe = test::tiny_recipe("tiny-resnet");
    recipe.train_limit = 64;
    recipe.test_limit = 32;
    recipe.weight.start = recipe.activation.start = 3;
    recipe.weight.per_channel = recipe.weight.bits_per_channel = channels;
    recipe.weight.average_bits = recipe.activation.average_bits = 2.75;
    recipe.budget.bops = 1.4e7;
    recipe.random = 1;
    if (!channels) recipe.allowed_levels = {3, 5, 6, 9, 11, 13};
    const ordered_json result = run_quietly(recipe);
    CHECK(result["mismatches"] == 0);
    CHECK(result["avg_weight_bits"].get<double>() <= 2.75);
    CHECK(result["avg_activation_bits"].get<double>() <= 2.75);
    CHECK(result["bops"].get<double>() <= 1.4e7);
    bool some = false;
    for (const ordered_json& tensor : result["tensors"])
      some |= tensor.contains(channels ? "channel_bits" : "levels");
    CHECK(some);
  }
}

TEST_CASE("walk: binary and ternary weights verify, and cost a bit and two") {
  for (const int bits : {1, 2}) {
    run::Recipe recipe = test::tiny_recipe("tiny-resnet");
    recipe.train_limit = 64;
    recipe.weight.bits = "fixed";
    recipe.weight.start = recipe.weight.lowest = bits;
    recipe.weight.per_channel = true;
    recipe.activation.bits = "fixed";
    const ordered_json result = run_quietly(recipe);
    CAPTURE(bits);
    CHECK(result["mismatches"] == 0);
    CHECK(result["avg_weight_bits"] == bits);
    for (const ordered_json& tensor : result["tensors"])
      if (tensor["role"] == "weight")
        CHECK(tensor["bytes"] == (tensor["elements"].get<Index>() * bits + 7) / 8);
  }
}

TEST_CASE("walk: a width of one bit can be learned, of weights alone") {
  run::Recipe recipe = test::tiny_recipe("tiny-resnet");
  recipe.train_limit = 64;
  recipe.weight.lowest = 1;
  recipe.weight.average_bits = 1.5;
  recipe.weight.start = 2;
  recipe.allowed.insert(recipe.allowed.begin(), 1);
  const ordered_json result = run_quietly(recipe);
  CHECK(result["mismatches"] == 0);
  CHECK(result["avg_weight_bits"].get<double>() <= 1.5);
}

TEST_CASE("walk: a width for each channel is packed as predicted, and verifies") {
  for (const char* name : {"lenet5-bn", "tiny-resnet"}) {
    run::Recipe recipe = test::tiny_recipe(name);
    recipe.train_limit = 64;
    recipe.weight.per_channel = recipe.weight.bits_per_channel = true;
    recipe.weight.random_start = true;
    recipe.weight.average_bits = 3;
    const ordered_json result = run_quietly(recipe);
    CAPTURE(std::string(name));
    CHECK(result["mismatches"] == 0);
    CHECK(result["avg_weight_bits"] <= 3.0);
    std::size_t most = 0;  // different widths in a weight
    for (const ordered_json& tensor : result["tensors"])
      if (tensor.contains("channel_bits"))
        most = std::max(most, tensor["channel_bits"].get<std::set<int>>().size());
    CHECK(most >= 2);
  }
}

TEST_CASE("walk: every network by name goes the whole way") {
  for (const char* name :
       {"mlp", "lenet5", "lenet5-bn", "cnn-32-64", "tiny-resnet", "resnet20", "resnet20-b"}) {
    CAPTURE(std::string(name));
    run::Recipe recipe = test::tiny_recipe(name);
    const bool deep = std::string_view(name).starts_with("resnet");  // 16 times the work
    recipe.batch = deep ? 8 : 32;
    recipe.train_limit = deep ? 16 : 64;
    recipe.test_limit = deep ? 8 : 32;
    recipe.weight.average_bits = recipe.activation.average_bits = 4;
    const ordered_json result = run_quietly(recipe);
    CHECK(result["mismatches"] == 0);
    CHECK(result["avg_weight_bits"] <= 4.0);
    CHECK(result["avg_activation_bits"] <= 4.0);
  }
}

TEST_CASE("walk: tiny-resnet of mixed widths and zero-points, 1,000 images, no integer differs") {
  run::Recipe recipe = test::tiny_recipe("tiny-resnet");
  recipe.train_limit = 32;
  recipe.test_limit = 1000;
  recipe.batch = 16;
  recipe.weight.random_start = recipe.activation.random_start = true;
  recipe.activation.affine = true;
  recipe.activation.range = "minmax";
  recipe.rounding = "nearest";
  const ordered_json result = run_quietly(recipe);
  CHECK(result["mismatches"] == 0);
  std::set<int> weight, activation;
  for (const ordered_json& tensor : result["tensors"]) {
    if (tensor["role"] == "weight") weight.insert(tensor["bits"].get<int>());
    if (tensor["role"] == "activation") activation.insert(tensor["bits"].get<int>());
  }
  CHECK(weight.size() >= 3);
  CHECK(activation.size() >= 3);
}

TEST_CASE("walk: at 3 bits the data is a ninth of the float tensors, the file an eighth") {
  run::Recipe recipe = test::tiny_recipe("lenet5");
  recipe.train_limit = 64;
  recipe.test_limit = 32;
  recipe.weight.bits = recipe.activation.bits = "fixed";
  const ordered_json result = run_quietly(recipe);
  const Index weights = 150 + 2400 + 48000 + 10080 + 840, biases = 6 + 16 + 120 + 84 + 10;
  CHECK(result["arms"][0]["bytes"] == 4 * (weights + biases));
  CHECK(result["data_bytes"].get<Index>() * 9 <= 4 * (weights + biases));
  CHECK(result["model_bytes"].get<Index>() * 8 <= 4 * (weights + biases));
  CHECK(result["avg_weight_bits"] == 3.0);
  CHECK(result["avg_activation_bits"] == 3.0);
}

}  // namespace fraqat::walk_test
