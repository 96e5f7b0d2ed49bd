#include "models/run/curriculum.hpp"

#include <doctest/doctest.h>

#include <map>

#include "core/error.hpp"
#include "models/run/checkpoint.hpp"
#include "quant/attach.hpp"
#include "tests/training/tiny_run.hpp"

namespace fraqat::curriculum_test {

namespace {

run::Recipe schedule_recipe() {
  run::Recipe recipe = test::tiny_recipe("lenet5");
  recipe.train_limit = 128;
  recipe.test_limit = 32;
  recipe.weight.bits = "schedule";
  recipe.activation.bits = "fixed";
  recipe.activation.start = 8;
  return recipe;
}

std::unique_ptr<nn::Sequential> quantized(const run::Recipe& recipe) {
  auto model = test::small_net(1);
  quant::quantize(*model, run::sample_image(recipe), run::quant_spec(recipe));
  return model;
}

std::vector<quant::Quantizer*> weights(nn::Module& model) {
  std::vector<quant::Quantizer*> some;
  for (quant::Quantizer* q : quant::quantizers(model))
    if (q->info().role == quant::Role::weight) some.push_back(q);
  return some;
}

/// Stops after so many steps of the search.
class StopAfter final : public run::Observer {
 public:
  explicit StopAfter(Index step) : stop_(step) {}
  void phase(std::string_view name, Index) override { searching_ = name == "search"; }
  void step(Index done, double) override { stopped_ |= searching_ && done >= stop_; }
  bool stopping() override { return stopped_; }

 private:
  Index stop_;
  bool searching_ = false, stopped_ = false;
};

}  // namespace

TEST_CASE("curriculum: every width has its share of the search, as in the paper") {
  const run::Recipe recipe = schedule_recipe();
  const auto model = quantized(recipe);
  run::Curriculum curriculum(*model, recipe);
  std::map<double, int> steps;
  for (int i = 0; i < 25 * 4; ++i) {
    curriculum.before_step(i / 100.0);
    ++steps[curriculum.width()];
    for (const quant::Quantizer* q : weights(*model)) CHECK(q->bits().bits() == curriculum.width());
  }
  CHECK(steps ==
        std::map<double, int>{
            {8, 4}, {7, 4}, {6, 4}, {5.5, 4}, {5, 4}, {4.75, 8}, {4.5, 8}, {4.25, 8}, {4, 56}});
}

TEST_CASE("curriculum: on a plateau it waits until the loss is back, or patience ends") {
  run::Recipe recipe = schedule_recipe();
  recipe.curriculum.mode = "plateau";
  recipe.curriculum.widths = {8, 5.5, 4.5, 4};
  recipe.curriculum.patience = 0.25;
  const auto model = quantized(recipe);
  run::Curriculum curriculum(*model, recipe);
  std::vector<double> widths;
  for (int i = 0; i < 1000; ++i) {
    curriculum.before_step(i / 1000.0);
    widths.push_back(curriculum.width());
    // 5.5 bits do no harm; at 4.5 the loss never comes back.
    curriculum.after_step(curriculum.width() > 5 ? 1.0 : 1.03);
  }
  const auto steps_at = [&](double width) {
    return std::count(widths.begin(), widths.end(), width);
  };
  CHECK(steps_at(8) == 250);  // nothing to come back to yet: patience
  CHECK(steps_at(5.5) == 50);
  CHECK(steps_at(4.5) == 250);
  CHECK(steps_at(4) == 450);
}

TEST_CASE("curriculum: it caps what is learned, where the recipe says so, and nothing else") {
  run::Recipe recipe = schedule_recipe();
  recipe.weight.bits = recipe.activation.bits = "stochastic";
  recipe.weight.start = recipe.activation.start = 7.5;
  recipe.weight.cap = true;
  const auto model = quantized(recipe);
  run::Curriculum curriculum(*model, recipe);
  CHECK(curriculum.followed());
  for (const double progress : {0.0, 0.1, 0.3, 0.99}) {
    curriculum.before_step(progress);
    for (quant::Quantizer* q : quant::quantizers(*model)) {
      if (q->info().role == quant::Role::input) continue;
      const bool weight = q->info().role == quant::Role::weight;
      CHECK(q->bits().bits() == (weight ? std::min(7.5, curriculum.width()) : 7.5));
    }
  }
  recipe.weight.cap = false;
  CHECK_FALSE(run::Curriculum(*model, recipe).followed());
}

TEST_CASE("curriculum: its state goes on where it was") {
  run::Recipe recipe = schedule_recipe();
  recipe.curriculum.mode = "plateau";
  const auto one = quantized(recipe), two = quantized(recipe);
  run::Curriculum first(*one, recipe), second(*two, recipe);
  const auto step = [](run::Curriculum& curriculum, int i) {
    curriculum.before_step(i / 400.0);
    curriculum.after_step(1 + 0.1 * (i % 7));
  };
  for (int i = 0; i < 130; ++i) step(first, i);
  second.set_state(nlohmann::json::parse(first.state().dump()));
  for (int i = 130; i < 400; ++i) {
    step(first, i);
    step(second, i);
    CHECK(first.width() == second.width());
  }
  CHECK(first.state() == second.state());
  CHECK(first.width() == 4);
}

TEST_CASE("curriculum: a run of it ends at its last width, verifies, and resumes to the same end") {
  for (const char* mode : {"shares", "plateau"}) {
    run::Recipe recipe = schedule_recipe();
    recipe.curriculum.mode = mode;
    recipe.curriculum.widths = {6, 4.5, 3.5, 3};
    recipe.curriculum.shares = {0.25, 0.25, 0.25, 0.25};
    recipe.curriculum.patience = 0.3;
    recipe.batch = 16;
    run::Observer silent;
    const test::TemporaryDirectory whole, cut;
    const auto result = run::run(recipe, {whole.path(), {}, {}, {}}, silent);
    CHECK(result["avg_weight_bits"] == 3.0);
    CHECK(result["mismatches"] == 0);
    StopAfter observer(5);
    CHECK_THROWS_AS(run::run(recipe, {cut.path(), {}, {}, {}}, observer), run::Stopped);
    const auto resumed = run::run(recipe, {cut.path(), {}, {}, {}, true}, silent);
    CHECK(resumed["hash"] == result["hash"]);
  }
}

TEST_CASE("curriculum: a mixture under a cap resumes to the same end") {
  run::Recipe recipe = schedule_recipe();
  recipe.weight.bits = "logits-mixture";
  recipe.weight.cap = true;
  recipe.weight.start = 6;
  recipe.curriculum.widths = {4.5, 4};
  recipe.curriculum.shares = {0.5, 0.5};
  recipe.batch = 16;
  recipe.search.epochs = 3;
  run::Observer silent;
  const test::TemporaryDirectory whole, cut;
  const auto result = run::run(recipe, {whole.path(), {}, {}, {}}, silent);
  StopAfter observer(19);
  CHECK_THROWS_AS(run::run(recipe, {cut.path(), {}, {}, {}}, observer), run::Stopped);
  const auto resumed = run::run(recipe, {cut.path(), {}, {}, {}, true}, silent);
  CHECK(resumed["hash"] == result["hash"]);
  CHECK(resumed["gap"] == result["gap"]);
  CHECK(run::result_hash(cut / "checkpoints/search.safetensors") ==
        run::result_hash(whole / "checkpoints/search.safetensors"));
}

TEST_CASE("curriculum: what it ends at is what a budget reckons with") {
  run::Recipe recipe = schedule_recipe();
  recipe.activation.bits = "stochastic";
  recipe.activation.start = 6;
  recipe.curriculum.widths = {8, 4};
  recipe.curriculum.shares = {0.5, 0.5};
  recipe.activation.lowest = 2;
  recipe.budget.bops = 9e6;  // more than 4 by 2 bits take, less than 8 by 2
  run::Observer silent;
  const test::TemporaryDirectory folder;
  const auto result = run::run(recipe, {folder.path(), {}, {}, {}}, silent);
  CHECK(result["avg_weight_bits"] == 4.0);
  CHECK(result["bops"] <= 9e6);
  CHECK(result["bops"] > 6e6);
}

TEST_CASE("curriculum: the uniform networks beside a capped one are checkpoints like others") {
  run::Recipe recipe = schedule_recipe();
  recipe.weight.bits = "stochastic";
  recipe.weight.cap = true;
  recipe.uniform = {4};
  run::Observer silent;
  const test::TemporaryDirectory folder;
  run::run(recipe, {folder.path(), {}, {}, {}}, silent);
  const run::Loaded loaded = run::load_checkpoint(folder / "checkpoints/uniform-4.safetensors");
  CHECK(loaded.phase == "uniform-4");
  CHECK(loaded.quantized);
}

TEST_CASE("curriculum: a budget and a cap hold together") {
  run::Recipe recipe = schedule_recipe();
  for (const char* bits : {"level", "logits-mixture", "interpolated"}) {
    recipe.weight.bits = bits;
    recipe.weight.cap = true;
    recipe.weight.start = 5;
    recipe.weight.average_bits = 3;
    run::Observer silent;
    const test::TemporaryDirectory folder;
    const auto result = run::run(recipe, {folder.path(), {}, {}, {}}, silent);
    CHECK(result["avg_weight_bits"] <= 3.0);
    CHECK(result["mismatches"] == 0);
  }
}

TEST_CASE("curriculum: a cap holds when widths become whole, too") {
  run::Recipe recipe = schedule_recipe();
  recipe.weight.bits = "stochastic";
  recipe.weight.start = 8;
  recipe.weight.average_bits = 6;  // more than the cap lets anybody have
  recipe.allowed_levels = {9, 11, 15, 17};
  const auto widest_of = [&](bool cap) {
    recipe.weight.cap = cap;
    run::Observer silent;
    const test::TemporaryDirectory folder;
    const auto result = run::run(recipe, {folder.path(), {}, {}, {}}, silent);
    double most = 0;
    for (const auto& tensor : result["tensors"])
      if (tensor["role"] == "weight") most = std::max(most, tensor["bits"].get<double>());
    return most;
  };
  CHECK(widest_of(true) == recipe.curriculum.widths.back());
  CHECK(widest_of(false) > recipe.curriculum.widths.back());
}

}  // namespace fraqat::curriculum_test
