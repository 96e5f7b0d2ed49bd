#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "core/file.hpp"
#include "models/run/recipe_keys.hpp"
#include "models/run/run.hpp"
#include "nn/safetensors.hpp"
#include "tests/support/threads.hpp"
#include "tests/training/tiny_run.hpp"

namespace fraqat::optimizers_test {

// Every optimizer and every schedule that a recipe may name, through a whole run: it learns, and
// a run that was stopped goes on to the same end.

namespace {

using nlohmann::ordered_json;

/// What a stretch may name: whoever adds a word to a recipe adds it to this test.
std::vector<std::string> words_of(const std::string& key) {
  run::Recipe recipe;
  std::vector<std::string> words;
  for (const run::Key& one : run::keys_of(recipe))
    if (one.path == "float." + key || one.path == "search." + key ||
        one.path == "finetune." + key) {
      CHECK((words.empty() || words == one.words));
      words = one.words;
    }
  return words;
}

/// Six steps an epoch; every other one with the average of its weights, or clipped.
run::Recipe recipe_with(const std::string& optimizer, const std::string& schedule,
                        bool averaged = false) {
  const std::map<std::string, double> rates = {{"sgd", 0.05},     {"adam", 3e-3},
                                               {"adamw", 3e-3},   {"rmsprop", 1e-3},
                                               {"adagrad", 0.02}, {"lion", 1e-3}};
  REQUIRE(rates.contains(optimizer));
  run::Recipe recipe = test::tiny_recipe("lenet5-bn");
  recipe.batch = 16;
  recipe.train_limit = 96;
  recipe.test_limit = 32;
  recipe.reestimate_batches = 2;
  // The first guess of learned ranges takes longer than all else.
  recipe.weight.range = recipe.activation.range = "minmax";
  recipe.weight.average_bits = recipe.activation.average_bits = 3;
  for (run::Training* stretch : {&recipe.float_training, &recipe.search, &recipe.finetune}) {
    stretch->epochs = stretch == &recipe.float_training ? 3 : 2;
    stretch->optimizer = optimizer;
    stretch->schedule = schedule;
    stretch->rate = rates.at(optimizer);
    stretch->warmup = 0.1;
    (averaged ? stretch->average : stretch->clip_value) = averaged ? 0.8 : 0.5;
  }
  return recipe;
}

std::string whole_run(const run::Recipe& recipe, const test::TemporaryDirectory& folder) {
  const test::Threads threads(1);
  run::Observer silent;
  const ordered_json result = run::run(recipe, {folder.path(), {}, {}, {}}, silent);
  CHECK(result["verified"] == true);
  return result["hash"];
}

/// Sets to zero what the optimizers of the weights knew when the run in `folder` was stopped.
void forget(const std::filesystem::path& folder) {
  const std::string path = folder / "progress.safetensors";
  nn::SafeTensors file = nn::read_safetensors(path);
  int forgotten = 0;
  for (nn::SafeTensors::Entry& tensor : file.entries)
    if (tensor.name.starts_with("optimizer.") && tensor.name.ends_with("weight")) {
      std::fill(tensor.bytes.begin(), tensor.bytes.end(), std::byte{0});
      ++forgotten;
    }
  CHECK(forgotten > 0);
  nn::write_safetensors(path, file);
}

std::string hash_of_the_rest(const run::Recipe& recipe, const std::filesystem::path& folder,
                             int stops = 2) {
  const test::Threads threads(2);
  run::Observer silent;
  const ordered_json result = run::run(recipe, {folder, {}, {}, {}, true}, silent);
  CHECK(result["resumed"] == stops);
  return result["hash"];
}

/// The hashes of a run that is stopped early and late and goes on with other threads: as it
/// should, and if it forgets at last what its optimizer knew.
std::pair<std::string, std::string> stopped_run(const run::Recipe& recipe) {
  const test::TemporaryDirectory folder, other;
  run::Options options{folder.path(), {}, {}, {}};
  for (const auto& [phase, count] : {std::pair("float", 2), std::pair("finetune", 3)}) {
    const test::Threads threads(count);
    test::StopIn observer(phase, 8);  // in the midst of its second epoch
    CHECK_THROWS_AS(run::run(recipe, options, observer), run::Stopped);
    options.resume = true;
  }
  std::filesystem::copy(folder.path(), other / "run", std::filesystem::copy_options::recursive);
  forget(other / "run");
  return {hash_of_the_rest(recipe, folder.path()), hash_of_the_rest(recipe, other / "run")};
}

/// What the epochs of a phase say of `what`.
std::vector<double> said_of(const test::TemporaryDirectory& folder, const std::string& what,
                            const std::string& phase) {
  std::istringstream metrics(read_text_file(folder / "metrics.jsonl", 1 << 20));
  std::vector<double> numbers;
  for (std::string text; std::getline(metrics, text);) {
    const ordered_json line = ordered_json::parse(text);
    REQUIRE(line[what].is_number());
    if (line["phase"] == phase) numbers.push_back(line[what]);
  }
  return numbers;
}

/// The mean losses of the epochs of float training fall; the others are numbers.
void check_learns(const test::TemporaryDirectory& folder) {
  const std::vector<double> losses = said_of(folder, "loss", "float");
  REQUIRE(losses.size() == 3);
  CAPTURE(losses.front());
  CHECK(losses.back() < losses.front());
}

}  // namespace

TEST_CASE("optimizers: with each and every schedule a run learns, and goes on where it stopped") {
  const std::vector<std::string> optimizers = words_of("optimizer"),
                                 schedules = words_of("schedule");
  CHECK(optimizers.size() >= 6);
  CHECK(schedules.size() >= 8);
  std::set<std::string> hashes;
  for (std::size_t i = 0; i < std::max(optimizers.size(), schedules.size()); ++i) {
    const std::string& optimizer = optimizers[i % optimizers.size()];
    const std::string& schedule = schedules[i % schedules.size()];
    CAPTURE(optimizer);
    CAPTURE(schedule);
    const run::Recipe recipe = recipe_with(optimizer, schedule, i % 2 == 1);
    const test::TemporaryDirectory folder;
    const std::string whole = whole_run(recipe, folder);
    check_learns(folder);
    const auto [resumed, forgetful] = stopped_run(recipe);
    CHECK(whole == resumed);
    CHECK(whole != forgetful);
    hashes.insert(whole);
  }
  CHECK(hashes.size() == std::max(optimizers.size(), schedules.size()));
}

TEST_CASE("plateau: the rate falls once the loss does not, also in a run that was stopped") {
  run::Recipe recipe = recipe_with("sgd", "plateau");
  recipe.float_training.epochs = 6;
  recipe.float_training.rate = 1e-9;  // nothing is learned
  recipe.float_training.warmup = 0;
  const test::TemporaryDirectory folder, stopped;
  const std::string whole = whole_run(recipe, folder);
  const std::vector<double> rates = said_of(folder, "rate", "float");
  REQUIRE(rates.size() == 6);
  CHECK(rates[3] == rates[0]);
  CHECK(rates[4] == doctest::Approx(rates[0] / 10));
  run::Options options{stopped.path(), {}, {}, {}};
  test::StopIn observer("float", 5 * 6 + 3);  // in the midst of the last epoch
  CHECK_THROWS_AS(run::run(recipe, options, observer), run::Stopped);
  CHECK(hash_of_the_rest(recipe, stopped.path(), 1) == whole);
}

TEST_CASE(
    "average: it becomes the network, with statistics of its own, while training goes its way") {
  run::Recipe recipe = recipe_with("sgd", "constant", true);
  recipe.float_training.rate = 0.2;
  const test::TemporaryDirectory folder, other;
  const test::Threads threads(1);
  run::Observer silent;
  const ordered_json averaged = run::run(recipe, {folder.path(), {}, {}, {}}, silent);
  recipe.float_training.average = 0;
  const ordered_json plain = run::run(recipe, {other.path(), {}, {}, {}}, silent);
  CHECK(said_of(folder, "loss", "float") == said_of(other, "loss", "float"));
  const auto tensor = [](const test::TemporaryDirectory& of, const std::string& name) {
    const nn::SafeTensors file = nn::read_safetensors(of / "checkpoints/float.safetensors");
    REQUIRE(file.find(name));
    return file.find(name)->bytes;
  };
  for (const char* name : {"conv2.weight", "bn2.weight", "bn2.running_mean"}) {
    CAPTURE(name);
    CHECK(tensor(folder, name) != tensor(other, name));
  }
  CHECK(averaged["arms"][0]["loss"] != plain["arms"][0]["loss"]);
}

TEST_CASE("average: its statistics are measured where batch norm rested at the end, too") {
  run::Recipe recipe = test::tiny_recipe("lenet5-bn");
  recipe.quantize = false;
  recipe.search.epochs = recipe.finetune.epochs = 0;
  recipe.float_training.average = 0.9;
  recipe.float_training.freeze_batch_norm = 0.5;
  run::Observer silent;
  std::set<std::string> hashes;
  for (const int batches : {0, 5}) {
    recipe.reestimate_batches = batches;
    const test::TemporaryDirectory folder;
    hashes.insert(run::run(recipe, {folder.path(), {}, {}, {}}, silent)["hash"].get<std::string>());
  }
  CHECK(hashes.size() == 2);
}

}  // namespace fraqat::optimizers_test
