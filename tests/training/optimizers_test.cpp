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

/// Six steps an epoch.
run::Recipe recipe_with(const std::string& optimizer, const std::string& schedule) {
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

std::string hash_of_the_rest(const run::Recipe& recipe, const std::filesystem::path& folder) {
  const test::Threads threads(2);
  run::Observer silent;
  const ordered_json result = run::run(recipe, {folder, {}, {}, {}, true}, silent);
  CHECK(result["resumed"] == 2);
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

/// The mean losses of the epochs of float training fall; the others are numbers.
void check_learns(const test::TemporaryDirectory& folder) {
  std::istringstream metrics(read_text_file(folder / "metrics.jsonl", 1 << 20));
  std::vector<double> losses;
  for (std::string text; std::getline(metrics, text);) {
    const ordered_json line = ordered_json::parse(text);
    REQUIRE(line["loss"].is_number());
    if (line["phase"] == "float") losses.push_back(line["loss"]);
  }
  REQUIRE(losses.size() == 3);
  CAPTURE(losses.front());
  CHECK(losses.back() < losses.front());
}

}  // namespace

TEST_CASE("optimizers: with each and every schedule a run learns, and goes on where it stopped") {
  const std::vector<std::string> optimizers = words_of("optimizer"),
                                 schedules = words_of("schedule");
  CHECK(optimizers.size() >= 6);
  CHECK(schedules.size() >= 7);
  std::set<std::string> hashes;
  for (std::size_t i = 0; i < std::max(optimizers.size(), schedules.size()); ++i) {
    const std::string& optimizer = optimizers[i % optimizers.size()];
    const std::string& schedule = schedules[i % schedules.size()];
    CAPTURE(optimizer);
    CAPTURE(schedule);
    const run::Recipe recipe = recipe_with(optimizer, schedule);
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

}  // namespace fraqat::optimizers_test
