#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "models/run/checkpoint.hpp"
#include "models/run/run.hpp"
#include "tests/training/tiny_run.hpp"

// What a run leaves that does not reach its end.

using namespace fraqat;
namespace fs = std::filesystem;

namespace {

run::Recipe short_recipe() {
  run::Recipe recipe = test::tiny_recipe("lenet5");
  recipe.train_limit = 96;
  recipe.test_limit = 32;
  recipe.weight.average_bits = recipe.activation.average_bits = 3;
  recipe.uniform = {4};
  return recipe;
}

/// Wants to stop in the second step of a phase.
class StopIn final : public run::Observer {
 public:
  explicit StopIn(std::string phase) : phase_(std::move(phase)) {}
  void phase(std::string_view name, Index) override { here_ = name == phase_; }
  void step(Index done, double) override { stopping_ = here_ && done == 2; }
  bool stopping() override { return stopping_; }

 private:
  std::string phase_;
  bool here_ = false, stopping_ = false;
};

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("interrupted: a stopped run leaves a checkpoint that loads, in every phase") {
  for (const char* phase : {"float", "uniform-4", "search", "finetune"}) {
    CAPTURE(std::string(phase));
    const test::TemporaryDirectory folder;
    StopIn observer(phase);
    fs::path left;
    try {
      run::run(short_recipe(), {folder.path(), {}, {}, {}}, observer);
      FAIL("was not stopped");
    } catch (const run::Stopped& stopped) {
      left = stopped.checkpoint;
    }
    CHECK(left == fs::path(folder / "checkpoints/interrupted.safetensors"));
    CHECK_FALSE(fs::exists(folder / "run.json"));
    CHECK_FALSE(fs::exists(folder / "model.fraqat"));
    const run::Loaded loaded = run::load_checkpoint(left);
    CHECK(loaded.phase == phase);
    CHECK(loaded.quantized == (loaded.phase != "float"));
    const auto test = data::open("synthetic", data::Split::test, {}, 32);
    CHECK(run::evaluate(*loaded.model, loaded.recipe, test).loss > 0);
  }
}

TEST_CASE("interrupted: an unfinished run may be started again in its folder") {
  const test::TemporaryDirectory folder;
  StopIn observer("float");
  CHECK_THROWS_AS(run::run(short_recipe(), {folder.path(), {}, {}, {}}, observer), run::Stopped);
  run::Observer silent;
  CHECK(run::run(short_recipe(), {folder.path(), {}, {}, {}}, silent)["mismatches"] == 0);
}

TEST_CASE("interrupted: a rate far too high is an error, and nothing is half-written") {
  run::Observer silent;
  run::Recipe recipe = short_recipe();
  SUBCASE("in float training") {
    const test::TemporaryDirectory folder;
    recipe.float_training.rate = 1e6;
    recipe.float_training.epochs = 5;
    CHECK_THROWS_WITH_AS(run::run(recipe, {folder.path(), {}, {}, {}}, silent),
                         doctest::Contains("[train] the loss is no number: got"), Error);
    CHECK(names_in(folder.path()) == Names{"metrics.csv", "metrics.jsonl", "recipe.toml"});
  }
  SUBCASE("in the search") {
    const test::TemporaryDirectory folder;
    recipe.uniform = {};
    recipe.search.rate = 1e6;
    recipe.search.epochs = 5;
    // Ranges keep the loss finite, but nothing that is left depends on the widths.
    CHECK_THROWS_AS(run::run(recipe, {folder.path(), {}, {}, {}}, silent), Error);
    CHECK(names_in(folder.path()) ==
          Names{"float.safetensors", "metrics.csv", "metrics.jsonl", "recipe.toml"});
    CHECK(run::load_checkpoint(folder / "checkpoints/float.safetensors").phase == "float");
  }
  SUBCASE("in the last step, whose loss nobody sees") {
    const test::TemporaryDirectory folder;
    recipe.train_limit = recipe.batch;
    recipe.float_training.rate = 1e38;
    CHECK_THROWS_AS(run::run(recipe, {folder.path(), {}, {}, {}}, silent), Error);
    CHECK_FALSE(fs::exists(folder / "run.json"));
    CHECK_FALSE(fs::exists(folder / "model.fraqat"));
  }
}
