#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "models/run/checkpoint.hpp"
#include "models/run/overfit.hpp"
#include "models/run/run.hpp"
#include "nn/state.hpp"
#include "tests/training/tiny_run.hpp"

namespace fraqat::interrupted_test {

// What a run leaves that does not reach its end.

namespace fs = std::filesystem;

namespace {

run::Recipe short_recipe() {
  run::Recipe recipe = test::tiny_recipe("lenet5-bn");
  recipe.train_limit = 96;
  recipe.test_limit = 32;
  recipe.weight.average_bits = recipe.activation.average_bits = 3;
  recipe.uniform = {4};
  recipe.reestimate_batches = 3;
  return recipe;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

using Names = std::vector<std::string>;

/// The text of the Error that the run must end with.
std::string complaint(const run::Recipe& recipe, const test::TemporaryDirectory& folder,
                      const fs::path& from = {}) {
  run::Observer silent;
  try {
    run::run(recipe, {folder.path(), from, {}, {}}, silent);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

bool has(const std::string& text, const char* part) { return text.find(part) != text.npos; }

}  // namespace

TEST_CASE("interrupted: a stopped run leaves a checkpoint that loads, in every phase") {
  for (const char* phase :
       {"float", "uniform-4", "calibrate", "search", "finetune", "re-estimate"}) {
    CAPTURE(std::string(phase));
    const test::TemporaryDirectory folder;
    test::StopIn observer(phase, 2);
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
    CHECK(loaded.quantized == (loaded.phase != "float" && loaded.phase != "calibrate"));
    const auto test = data::open("synthetic", data::Split::test, {}, 32);
    CHECK(run::evaluate(*loaded.model, loaded.recipe, test).loss > 0);
  }
}

TEST_CASE("interrupted: a run stopped in verification has saved all it has") {
  const test::TemporaryDirectory folder;
  test::StopIn observer("verify", 1);
  run::Recipe recipe = short_recipe();
  recipe.uniform = {};
  try {
    run::run(recipe, {folder.path(), {}, {}, {}}, observer);
    FAIL("was not stopped");
  } catch (const run::Stopped& stopped) {
    CHECK(stopped.checkpoint == fs::path(folder / "checkpoints/final.safetensors"));
  }
  CHECK(run::load_checkpoint(folder / "checkpoints/final.safetensors").phase == "final");
  CHECK(fs::exists(folder / "model.fraqat"));
  CHECK_FALSE(fs::exists(folder / "run.json"));
}

TEST_CASE("interrupted: an unfinished run is not begun again but goes on, to the same end") {
  const test::TemporaryDirectory folder, other;
  run::Observer silent;
  const std::string whole = run::run(short_recipe(), {other.path(), {}, {}, {}}, silent)["hash"];
  test::StopIn observer("search", 2);
  CHECK_THROWS_AS(run::run(short_recipe(), {folder.path(), {}, {}, {}}, observer), run::Stopped);
  CHECK(has(complaint(short_recipe(), folder),
            "holds an unfinished run: got progress.safetensors; expected a new folder; try fraqat "
            "train --resume"));
  const run::Options resumed{folder.path(), {}, {}, {}, true};
  run::Recipe changed = short_recipe();
  changed.seed = 2;
  const doctest::Contains another("holds the run of another recipe: seed is 1 there; expected 2");
  CHECK_THROWS_WITH_AS(run::run(changed, resumed, silent), another, Error);
  write_file_atomically(folder / "recipe.toml", run::to_toml(changed));
  CHECK_THROWS_WITH_AS(run::run(changed, resumed, silent), another, Error);
  CHECK_THROWS_WITH_AS(run::run(short_recipe(), resumed, silent), another, Error);
  write_file_atomically(folder / "recipe.toml", run::to_toml(short_recipe()));
  const auto result = run::run(short_recipe(), resumed, silent);
  CHECK(result["hash"] == whole);
  CHECK(result["resumed"] == 1);
  CHECK(run::finished_run(folder.path()) == result);
}

TEST_CASE("interrupted: a journal that was edited is a bad file, whatever is wrong with it") {
  using nlohmann::ordered_json;
  run::Observer silent;
  for (const auto& [key, value] :
       {std::pair("stretches", ordered_json(7)), std::pair("arguments", ordered_json(nullptr)),
        std::pair("arms", ordered_json({{"float", "fast"}})), std::pair("metrics", ordered_json(1)),
        std::pair("seconds", ordered_json("long")), std::pair("recipe", ordered_json("seed = x")),
        std::pair("recipe", ordered_json(nullptr))}) {
    CAPTURE(std::string(key));
    const test::TemporaryDirectory folder;
    test::StopIn observer("search", 2);
    CHECK_THROWS_AS(run::run(short_recipe(), {folder.path(), {}, {}, {}}, observer), run::Stopped);
    const std::string path = folder / "progress.safetensors";
    nn::SafeTensors file = nn::read_safetensors(path);
    ordered_json notes = ordered_json::parse(file.metadata.at("fraqat.notes"));
    if (value.is_null())
      notes.erase(key);
    else
      notes[key] = value;
    file.metadata["fraqat.notes"] = notes.dump();
    nn::write_safetensors(path, file);
    try {
      run::run(short_recipe(), {folder.path(), {}, {}, {}, true}, silent);
      FAIL("was gone on with");
    } catch (const Error& error) {
      CHECK(error.kind() == Error::Kind::input);
      CHECK(has(error.what(), "progress.safetensors"));
    }
  }
}

TEST_CASE("interrupted: a rate far too high is an error, and nothing is half-written") {
  run::Recipe recipe = short_recipe();
  const test::TemporaryDirectory folder;
  SUBCASE("in float training") {
    recipe.float_training.rate = 1e6;
    recipe.float_training.epochs = 5;
    const std::string text = complaint(recipe, folder);
    CAPTURE(text);
    CHECK(has(text, "is no number"));
    CHECK((has(text, "the output of ") || has(text, "a gradient that came from ")));
    CHECK(has(text, " in layer "));
    CHECK(has(text, "try a smaller rate or clip; this was in float, epoch "));
    CHECK(names_in(folder.path()) ==
          Names{"metrics.csv", "metrics.jsonl", "progress.safetensors", "recipe.toml"});
  }
  SUBCASE("in the search") {
    recipe.uniform = {};
    recipe.search.rate = 1e6;
    recipe.search.epochs = 5;
    SUBCASE("learned ranges keep the loss finite") {}
    SUBCASE("measured ones follow the weights") {
      recipe.weight.range = recipe.activation.range = "minmax";
    }
    const std::string text = complaint(recipe, folder);
    CAPTURE(text);
    CHECK(has(text, "try a smaller rate or clip"));
    CHECK(has(text, "; this was in search, epoch "));
    CHECK_FALSE(has(text, "not being learned"));
    CHECK(names_in(folder.path()) == Names{"float.safetensors", "metrics.csv", "metrics.jsonl",
                                           "progress.safetensors", "recipe.toml"});
    CHECK(run::load_checkpoint(folder / "checkpoints/float.safetensors").phase == "float");
  }
}

TEST_CASE("interrupted: a width that the task asks nothing of is named, with epoch and step") {
  run::Recipe recipe = short_recipe();
  recipe.uniform = {};
  const auto model = run::make_model(recipe);
  // The first relu lets nothing through: nobody behind it asks conv1 for bits.
  nn::NamedTensors state = nn::state_of(*model);
  for (auto& [name, tensor] : state) {
    if (name == "bn1.weight") tensor.fill(0);
    if (name == "bn1.bias") tensor.fill(-1);
  }
  nn::apply_state(*model, state, "a dead start");
  const test::TemporaryDirectory folder, start;
  const fs::path from = start / "float.safetensors";
  run::save_checkpoint(from, *model, recipe, "float");
  const std::string text = complaint(recipe, folder, from);
  CAPTURE(text);
  CHECK(
      text.starts_with("[search] the bit-width of conv1.weight_q is not being learned: got a task "
                       "gradient of exactly 0 through an epoch at b = "));
  CHECK(has(text, "; try another start or policy, a higher "));
  CHECK(has(text, "; this was in search, epoch 1, step "));
}

TEST_CASE("interrupted: ranges that collapse, and a loss that nobody sees, are errors too") {
  run::Recipe recipe = short_recipe();
  const test::TemporaryDirectory folder;
  SUBCASE("a rate of the ranges far too high") {
    recipe.uniform = {};
    recipe.range_rate = 100;
    const std::string text = complaint(recipe, folder);
    CAPTURE(text);
    CHECK((has(text, "the range of conv1.") || has(text, "the range of fc")));
    CHECK(has(text, "_q collapsed: "));
    CHECK(has(text, "a smaller range rate"));
    CHECK(has(text, "; this was in search, epoch 1, step "));
  }
  SUBCASE("in the last step, whose loss nobody sees") {
    recipe.train_limit = recipe.batch;
    recipe.float_training.rate = 1e38;
    const std::string text = complaint(recipe, folder);
    CAPTURE(text);
    CHECK(has(text, "is no number"));
    CHECK(has(text, "this was in float, epoch 1, step 1"));
    CHECK_FALSE(fs::exists(folder / "run.json"));
    CHECK_FALSE(fs::exists(folder / "model.fraqat"));
  }
}

TEST_CASE("interrupted: a network that cannot learn a batch for a NaN says where it came up") {
  run::Recipe recipe = test::tiny_recipe("mlp");
  // One such weight does not overflow, the product of two layers of them does.
  recipe.float_training.rate = 1e38;
  run::Observer silent;
  CHECK_THROWS_WITH_AS(
      run::overfit_one_batch(recipe, {{}, {}, {}, {}}, silent),
      doctest::Contains(
          "[overfit] step 2: the loss is no number: the output of linear in layer fc2"),
      Error);
}

TEST_CASE("interrupted: a run goes on from the file that it began with, whatever it is called") {
  const test::TemporaryDirectory folder;
  const auto start = std::filesystem::path(folder.path()) / "start\xff.safetensors";
  write_file_atomically(start.string(), std::string_view("as it was"));
  const run::Recipe recipe = test::tiny_recipe("mlp");
  run::Observer silent;
  run::Options options{std::filesystem::path(folder.path()) / "run", start, {}, {}, false, false};
  { const run::Session begun(recipe, options, silent); }
  options.resume = true;
  options.from.clear();
  const run::Session again(recipe, options, silent);
  CHECK(again.from() == start);
  write_file_atomically(start.string(), std::string_view("changed"));
  CHECK_THROWS_WITH_AS(again.from(), doctest::Contains("has changed since the run began: got SHA-"),
                       Error);
}

}  // namespace fraqat::interrupted_test
