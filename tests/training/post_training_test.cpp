#include "models/run/post_training.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <map>

#include "core/parallel.hpp"
#include "data/loader.hpp"
#include "models/run/batch_norm.hpp"
#include "models/run/checkpoint.hpp"
#include "models/run/widths.hpp"
#include "nn/normalisation.hpp"
#include "tests/support/threads.hpp"
#include "tests/training/tiny_run.hpp"

namespace fraqat::post_training_test {

// A float network becomes an integer one without a step of training.

using nlohmann::ordered_json;
namespace fs = std::filesystem;

namespace {

// LeNet-5: weights of each layer and its outputs.
constexpr Index weights = 150 + 2400 + 48000 + 10080 + 840, channels = 6 + 16 + 120 + 84 + 10;

/// Data bytes at `bits` everywhere: codes, a multiplier and an offset for each channel, and
/// its scale.  Rounded up, as only the 150 codes of conv1 may leave their last byte half full.
Index uniform_bytes(Index bits) { return (weights * bits + 7) / 8 + (8 + 4) * channels; }

/// A float network of one epoch, and runs that start from it.
class Float {
 public:
  Float() {
    recipe_.quantize = false;
    recipe_.search.epochs = recipe_.finetune.epochs = 0;
    run::Observer silent;
    run::run(recipe_, {fs::path(folder_.path()) / "float", {}, {}, {}}, silent);
  }

  run::Recipe recipe(std::vector<std::string> settings, bool sensitivity = false) const {
    settings.insert(settings.begin(),
                    {"quant.calibration_batches=4", "finetune.reestimate_batches=5"});
    return run::post_training_recipe(recipe_, settings, sensitivity);
  }

  ordered_json quantize(const std::string& name, const std::vector<std::string>& settings,
                        bool sensitivity = false) const {
    run::Observer silent;
    return run::run(recipe(settings, sensitivity), {folder(name), checkpoint(), {}, {}}, silent);
  }

  fs::path folder(const std::string& name) const { return fs::path(folder_.path()) / name; }
  fs::path checkpoint() const { return folder("float") / "checkpoints/float.safetensors"; }

 private:
  test::TemporaryDirectory folder_;
  run::Recipe recipe_ = test::tiny_recipe("lenet5-bn");
};

const Float& floats() {
  static const Float once;
  return once;
}

const std::vector<std::string> three_bits = {"quant.budget.bytes=" +
                                             std::to_string(uniform_bytes(3))};

const ordered_json& budgeted() {
  static const ordered_json once = floats().quantize("budgeted", three_bits);
  return once;
}

/// The measured loss of each tensor by width.
std::map<std::string, std::map<int, double>> losses_of(const ordered_json& result) {
  std::map<std::string, std::map<int, double>> losses;
  for (const ordered_json& tensor : result.at("sensitivity"))
    for (std::size_t i = 0; i < tensor["bits"].size(); ++i)
      losses[tensor["name"]][tensor["bits"][i]] = tensor["losses"][i];
  return losses;
}

}  // namespace

TEST_CASE("post-training: a recipe has whole widths, or those that a budget counts are found") {
  const run::Recipe plain = floats().recipe({});
  CHECK(plain.float_training.epochs + plain.search.epochs + plain.finetune.epochs == 0);
  CHECK(plain.model == "lenet5-bn");
  CHECK(plain.data == "synthetic");
  CHECK(plain.train_limit == 320);
  CHECK(plain.weight.bits == "fixed");
  CHECK(plain.weight.start == 8);
  CHECK(plain.weight.range == "mse");
  const run::Recipe bytes = floats().recipe({"quant.budget.bytes=20000", "quant.weight.highest=6"});
  CHECK(bytes.weight.bits == "stochastic");
  CHECK(bytes.weight.start == 6);
  CHECK(bytes.activation.bits == "fixed");
  const run::Recipe average = floats().recipe({"quant.budget.weight_bits=2.5"});
  CHECK(average.weight.bits == "stochastic");
  CHECK(average.weight.start == 2.5);
  CHECK(floats().recipe({"quant.budget.bops=1e6"}).activation.bits == "stochastic");
  CHECK(floats().recipe({"quant.weight.start=1"}).weight.lowest == 1);
  const run::Recipe sensitivity = floats().recipe({"quant.weight.start=4"}, true);
  CHECK(sensitivity.weight.bits == "stochastic");
  CHECK(sensitivity.weight.start == 4);
  CHECK(sensitivity.activation.bits == "stochastic");
  CHECK_THROWS_WITH_AS(floats().recipe({"quant.weight.start=3.5"}),
                       doctest::Contains("expected a whole width"), Error);
  CHECK_THROWS_WITH_AS(floats().recipe({"quant.budget.weight_bits=1.5"}),
                       doctest::Contains("quant.budget.weight_bits: got 1.5"), Error);
  CHECK_THROWS_WITH_AS(floats().recipe({"quant.enabled=false"}),
                       doctest::Contains("[quantize] nothing to do"), Error);
}

TEST_CASE("post-training: uniform widths, packed and verified") {
  const ordered_json result = floats().quantize("uniform", {"quant.weight.start=3"});
  CHECK(result["verified"] == true);
  CHECK(result["mismatches"] == 0);
  CHECK(result["avg_weight_bits"] == 3.0);
  CHECK(result["avg_activation_bits"] == 8.0);
  CHECK(result["data_bytes"] == uniform_bytes(3));
  CHECK(fs::file_size(floats().folder("uniform") / "model.fraqat") == result["model_bytes"]);
  CHECK(result["arms"].size() == 2);
  CHECK(result["arms"][0]["name"] == "float");
  CHECK_FALSE(result["gap"].contains("searched"));
  CHECK_FALSE(result.contains("sensitivity"));
  CHECK_FALSE(fs::exists(floats().folder("uniform") / "checkpoints/search.safetensors"));
  CHECK(run::load_checkpoint(floats().folder("uniform") / "checkpoints/final.safetensors")
            .recipe.weight.start == 3);
}

TEST_CASE("post-training: a budget is met, by widths that lose no more than uniform ones") {
  const ordered_json& result = budgeted();
  CHECK(result["verified"] == true);
  CHECK(result["mismatches"] == 0);
  CHECK(result["avg_activation_bits"] == 8.0);
  const ordered_json& budget = result["budget"]["bytes"];
  CHECK(budget["target"] == uniform_bytes(3));
  CHECK(budget["reached"] <= budget["target"]);
  CHECK(budget["reached"] == result["data_bytes"]);
  CHECK(result["budget"]["rounding"]["exact"] == true);
  CHECK(result["budget"]["rounding"]["losses"] == "measured");
  const auto losses = losses_of(result);
  double chosen = 0, uniform = 0;
  Index bytes = (8 + 4) * channels;
  for (const ordered_json& tensor : result["tensors"]) {
    CHECK(tensor["learned_bits"] == tensor["bits"]);  // nothing was
    if (tensor["role"] != "weight") continue;
    const int bits = tensor["bits"];
    bytes += (tensor["elements"].get<Index>() * bits + 7) / 8;
    chosen += losses.at(tensor["name"]).at(bits);
    uniform += losses.at(tensor["name"]).at(3);
  }
  CHECK(bytes == result["data_bytes"]);
  CHECK(chosen < uniform);
}

TEST_CASE("post-training: measured losses fall with the width, of all tensors with a choice") {
  CHECK(losses_of(budgeted()).size() == 5);  // the weights
  const ordered_json result = floats().quantize("sensitivity", {"quant.weight.start=4"}, true);
  const auto losses = losses_of(result);
  CHECK(losses.size() == 9);  // and the activations
  for (const auto& [name, by_width] : losses) {
    INFO(name);
    REQUIRE(by_width.size() == 7);
    for (int bits = 2; bits < 8; ++bits) CHECK(by_width.at(bits) >= by_width.at(bits + 1));
    CHECK(by_width.at(8) == 0);
  }
  CHECK(losses.at("conv2.weight_q").at(2) > 0);
  CHECK(result["avg_weight_bits"] == 4.0);
  // Without a budget to meet, measuring changes nothing.
  CHECK(result["accuracy"] == floats().quantize("four", {"quant.weight.start=4"})["accuracy"]);
}

TEST_CASE("post-training: the same bits for one and two threads, and as a run of its recipe") {
  const test::Threads two(thread_count() == 2 ? 1 : 2);
  run::Observer silent;
  const fs::path recipe = floats().folder("budgeted") / "recipe.toml";
  CHECK(budgeted()["verified"] == true);
  const ordered_json again =
      run::run(run::load_recipe(recipe.string(), {}),
               {floats().folder("again"), floats().checkpoint(), {}, {}}, silent);
  CHECK(again["hash"] == budgeted()["hash"]);
  CHECK(again["sensitivity"] == budgeted()["sensitivity"]);
  CHECK(again["tensors"] == budgeted()["tensors"]);
}

TEST_CASE("post-training: exchanges on the true loss, and fine-tuning, may follow") {
  std::vector<std::string> settings = three_bits;
  settings.insert(settings.end(), {"round.swap=3", "finetune.epochs=1", "finetune.rate=0.01"});
  const ordered_json result = floats().quantize("finetuned", settings);
  CHECK(result["budget"]["rounding"]["tried"] <= 3);
  CHECK(result["budget"]["rounding"]["tried"] > 0);
  CHECK(result["budget"]["bytes"]["reached"] <= result["budget"]["bytes"]["target"]);
  CHECK(result["gap"].contains("finetuned"));
  CHECK(result["verified"] == true);
}

TEST_CASE("post-training: where statistics stay, losses are measured with them") {
  run::Recipe recipe = floats().recipe({"finetune.reestimate_batches=0"});
  const test::TinySession session(recipe);
  const std::unique_ptr<nn::Module> model = run::load_checkpoint(floats().checkpoint()).model;
  data::Loader loader((*session).train(), {.batch = recipe.batch, .seed = recipe.seed});
  double sum = 0;
  int batches = 0;
  for (const data::Batch& batch : loader.epoch(0)) {
    if (batches == recipe.calibration_batches) break;
    const Var loss = op::softmax_cross_entropy((*model)(Var(batch.images)), batch.labels);
    sum += static_cast<double>(loss.value().item());
    ++batches;
  }
  CHECK(run::loss_on_calibration(*session, *model)() == sum / batches);
  recipe.reestimate_batches = 5;
  const test::TinySession other(recipe);
  CHECK(run::loss_on_calibration(*other, *model)() != sum / batches);
}

TEST_CASE(
    "post-training: batch norm keeps what it was trained on, moved by what quantization does") {
  run::Recipe recipe = floats().recipe({});
  const test::TinySession session(recipe);
  const std::unique_ptr<nn::Module> model = run::load_checkpoint(floats().checkpoint()).model;
  std::vector<nn::BatchNorm*> norms;
  for (auto& [name, module] : nn::modules(*model))
    if (auto* norm = dynamic_cast<nn::BatchNorm*>(module)) norms.push_back(norm);
  // As if of images of half the contrast, which nobody has here.
  for (Index c = 0; c < 6; ++c) norms[0]->state.variance.data()[c] /= 4;
  const Tensor before = norms[0]->state.variance.clone();
  run::save_checkpoint((*session).checkpoint("float"), *model, recipe, "float");
  test::quantize(*model, *session, recipe);
  run::settle_batch_norm(*session, *model, recipe);
  for (Index c = 0; c < 6; ++c) {
    const double settled = norms[0]->state.variance[c];
    CHECK(settled == doctest::Approx(before[c]).epsilon(0.02));  // 8 bits change little
    CHECK(settled != before[c]);
  }
  recipe.finetune.epochs = 1;
  run::settle_batch_norm(*session, *model, recipe);
  for (Index c = 0; c < 6; ++c) CHECK(norms[0]->state.variance[c] > 1.2 * before[c]);
}

}  // namespace fraqat::post_training_test
