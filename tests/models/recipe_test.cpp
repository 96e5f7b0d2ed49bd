#include "models/run/recipe.hpp"

#include <doctest/doctest.h>

#include <random>

#include "core/error.hpp"
#include "models/run/recipe_keys.hpp"
#include "quant/bits_by_name.hpp"
#include "tests/models/recipe_file.hpp"

namespace fraqat::recipe_test {

using namespace fraqat::run;

namespace {

Recipe read(const std::string& text, const std::vector<std::string>& overrides = {}) {
  const test::RecipeFile file(text);
  return load_recipe(file.path(), overrides);
}

class Dice {
 public:
  explicit Dice(unsigned seed) : generator_(seed) {}
  int whole(int low, int high) { return std::uniform_int_distribution(low, high)(generator_); }
  double real(double low, double high) {
    return std::uniform_real_distribution(low, high)(generator_);
  }
  bool flag() { return whole(0, 1) == 1; }
  std::string word(const std::vector<std::string>& words) {
    return words[static_cast<std::size_t>(whole(0, static_cast<int>(words.size()) - 1))];
  }
  std::vector<int> rising(std::vector<int> list = {}) {
    for (int b = 2; b <= 8; ++b)
      if (flag()) list.push_back(b);
    return list;
  }

 private:
  std::mt19937 generator_;
};

Training random_training(Dice& dice) {
  Training t;
  t.epochs = dice.whole(0, 50);
  t.optimizer = dice.word({"sgd", "adam", "adamw", "rmsprop", "adagrad", "lion"});
  t.rate = dice.real(1e-9, 1);
  t.momentum = dice.real(0.01, 0.99);
  t.nesterov = dice.flag();
  t.weight_decay = dice.flag() ? 0 : dice.real(0, 1e-3);
  t.schedule = dice.word({"constant", "step", "multi-step", "exponential", "cosine",
                          "cosine-restarts", "one-cycle", "plateau"});
  t.warmup = dice.real(0, 1);
  t.clip_value = dice.flag() ? 0 : dice.real(0, 2);
  t.label_smoothing = dice.real(0, 0.5);
  t.clip = dice.whole(0, 5);
  return t;
}

Tensors random_tensors(Dice& dice, bool weights) {
  Tensors t;
  t.bits = dice.word(quant::bit_policies());
  t.lowest = dice.whole(2, 4);
  t.highest = dice.whole(6, 8);
  t.start = t.bits == "fixed" ? dice.whole(4, 6) : dice.real(4, 6);
  t.random_start = dice.flag();
  t.range = dice.word({"minmax", "percentile", "mse", "kl", "learned"});
  t.percentile = dice.real(50, 100);
  t.gradient_scale = dice.word({"none", "lsq"});
  if (!weights) t.momentum = dice.real(0, 1);
  if (weights) t.per_channel = dice.flag();
  if (weights && t.per_channel && quant::has_row_widths(t.bits)) t.bits_per_channel = dice.flag();
  if (weights && !t.bits_per_channel) t.narrow_range = dice.flag();
  if (!weights) t.affine = dice.flag();
  if (t.bits == "fixed" || t.bits == "schedule") return t;  // nothing to learn, so no budget
  t.cap = dice.flag();
  if (dice.flag()) t.average_bits = dice.real(4, 6);
  if (weights && t.average_bits == 0) t.bytes = dice.real(0, 1e5);
  return t;
}

Recipe random_recipe(unsigned seed) {
  Dice dice(seed);
  Recipe r;
  r.name = dice.word({"a", "lenet5-fashion", "x.y_z-0"});
  r.seed = std::uint64_t{1} << dice.whole(0, 62);
  r.model = dice.word({"mlp", "lenet5", "tiny-resnet"});
  r.data = dice.word({"mnist", "synthetic"});
  r.batch = dice.whole(1, 65536);
  r.augment = dice.word({"none", "crop-flip"});
  r.train_limit = dice.whole(0, 60000);
  r.test_limit = dice.whole(0, 10000);
  r.float_training = random_training(dice);
  r.weight = random_tensors(dice, true);
  r.activation = random_tensors(dice, false);
  if (dice.flag()) r.weight_bits = {{"features.0", dice.whole(2, 8)}, {"conv1", 8}};
  if (dice.flag()) r.activation_bits = {{"pool", dice.whole(2, 8)}};
  if (dice.flag()) r.sum_bits = dice.whole(2, 8);
  r.calibration_batches = dice.whole(1, 100);
  r.search = random_training(dice);
  r.bit_rate = dice.real(1e-3, 1);
  r.range_rate = dice.real(1e-6, 1);
  r.bit_warmup = dice.real(0, 1);
  r.bit_optimizer = dice.word({"sgd", "adam"});
  if (r.activation.average_bits == 0) r.lambda = dice.real(0, 1);
  r.cost = dice.word({"linear", "quadratic", "power"});
  r.power = dice.real(0.5, 4);
  r.priced = dice.word({"bits", "average_bits", "bytes", "bops", "activation_bytes"});
  r.multiplier = dice.word({"exact", "dual", "pid"});
  r.temperature_start = dice.real(1, 5);
  r.temperature_end = dice.real(0.01, 1);
  r.temperature_schedule = dice.word({"exponential", "linear", "cosine", "constant"});
  r.entropy = dice.real(0, 0.1);
  r.curriculum.widths = {dice.real(7, 8), dice.real(5, 6), 4};
  r.curriculum.shares = {0.125, 0.25, 0.625};
  r.curriculum.mode = dice.word({"shares", "plateau"});
  r.curriculum.patience = dice.real(0, 0.4);
  r.curriculum.tolerance = dice.real(0, 0.1);
  r.rounding = dice.word({"nearest", "ceil", "floor", "budget"});
  r.allowed = {4, 5, 8};
  r.allowed_activation = {8, 4};
  if (!r.weight.bits_per_channel) r.allowed_levels = {11, 3, 6};
  if (r.activation.lowest == 2) r.allowed_levels_activation = {5, 7};
  for (Tensors* side : {&r.weight, &r.activation})
    if (side->average_bits > 4) side->average_bits = std::max(4, side->lowest);
  r.couple_adds = dice.whole(0, 1) == 1;
  if (!r.weight.bits_per_channel) r.losses = dice.word({"estimated", "measured"});
  r.swap = dice.whole(0, 50);
  if (r.weight.bits != "fixed" && r.weight.bits != "schedule") r.budget.bytes = dice.real(0, 1e6);
  r.finetune = random_training(dice);
  r.finetune.average = dice.real(0, 0.9);
  r.reestimate_batches = dice.whole(0, 500);
  r.uniform = dice.rising();
  r.uniform_ends8 = {8, 2, 3};
  return r;
}

}  // namespace

TEST_CASE("recipe: what is written reads back equal") {
  for (unsigned seed = 0; seed < 300; ++seed) {
    const Recipe recipe = random_recipe(seed);
    const std::string text = to_toml(recipe);
    CAPTURE(text);
    const Recipe back = read(text);
    CHECK(back == recipe);
    CHECK(to_toml(back) == text);
  }
}

TEST_CASE("recipe: numbers are written out where people would") {
  for (const auto& [number, text] : {std::pair{6e-4, "0.0006"},
                                     {1e-6, "0.000001"},
                                     {2.5e-7, "2.5e-07"},
                                     {0.0125, "0.0125"},
                                     {-0.5, "-0.5"},
                                     {3.0, "3"},
                                     {1e300, "1e+300"}})
    CHECK(run::to_text(number) == text);
}

TEST_CASE("recipe: one that stays float asks for nothing else") {
  CHECK_FALSE(read("quant.enabled = false\n[float]\nepochs = 3\n").quantize);
  CHECK(read("").quantize);
  for (const char* more : {"search.epochs=1", "finetune.epochs=1", "baselines.uniform=[4]",
                           "baselines.uniform_ends8=[4]", "baselines.random=1"})
    CHECK_THROWS_WITH_AS(read("quant.enabled = false\n", {more}),
                         doctest::Contains("with quant.enabled = false; expected none of it"),
                         Error);
}

TEST_CASE("recipe: defaults are complete, and a file without a name has its own") {
  Recipe expected;
  expected.name = "recipe";
  CHECK(read("") == expected);
  CHECK(read(to_toml(expected)) == expected);
  Recipe scratch;
  for (const Key& key : keys_of(scratch))
    CHECK(to_toml(scratch).find(key.name()) != std::string::npos);
}

TEST_CASE("recipe: keys in every spelling of TOML") {
  const Recipe r = read(R"(
seed = 0x10
[quant]
weight.start = 5
weight_bits = { conv1 = 8, "features.0" = 3 }
activation_bits.pool = 7
activation = { start = 2.5, bits = 'stochastic' }
[float]
epochs = 1_0
rate = 1
)");
  CHECK(r.seed == 16);
  CHECK(r.weight.start == 5);
  CHECK(r.activation.start == 2.5);
  CHECK(r.float_training.epochs == 10);
  CHECK(r.float_training.rate == 1.0);
  CHECK(r.weight_bits == WidthsByLayer{{"conv1", 8}, {"features.0", 3}});
  CHECK(r.activation_bits == WidthsByLayer{{"pool", 7}});
  CHECK(read("[quant.weight_bits]\nfeatures.0 = 3\n").weight_bits ==
        WidthsByLayer{{"features.0", 3}});
}

TEST_CASE("recipe: the recipes that come with fraqat load by name") {
  for (const char* name : {"lenet5-fashion", "lenet5-mnist"}) {
    const Recipe recipe = load_recipe(name, {});
    CHECK(recipe.name == name);
    CHECK(recipe.model == "lenet5-bn");
    CHECK(recipe.weight.average_bits == 2.5);
  }
  const Recipe resnet = load_recipe("resnet20-cifar10", {});
  CHECK(resnet.model == "resnet20");
  CHECK(resnet.augment == "crop-flip");
  CHECK_FALSE(resnet.quantize);
  CHECK_THROWS_WITH_AS(load_recipe("lenet6", {}),
                       doctest::Contains("lenet5-fashion, lenet5-mnist, resnet20-cifar10"), Error);
}

TEST_CASE("recipe: --set changes single fields") {
  const Recipe r = read(
      "[float]\nrate = 0.5\n",
      {"float.rate=0.25", "model=mlp", "data.name = \"synthetic\"", "seed=7",
       "quant.weight.random_start=true", "baselines.uniform=8,4", "baselines.uniform_ends8=[2]",
       "quant.weight_bits.conv1=8", "quant.weight_bits.features.0=4", "quant.weight_bits.conv1=6",
       "quant.weight_bits={fc1=3,features.0=5}", "quant.activation_bits.layer1.0=4"});
  CHECK(r.float_training.rate == 0.25);
  CHECK(r.model == "mlp");
  CHECK(r.data == "synthetic");
  CHECK(r.seed == 7);
  CHECK(r.weight.random_start);
  CHECK(r.uniform == std::vector{8, 4});
  CHECK(r.uniform_ends8 == std::vector{2});
  CHECK(r.weight_bits == WidthsByLayer{{"conv1", 6}, {"features.0", 5}, {"fc1", 3}});
  CHECK(r.activation_bits == WidthsByLayer{{"layer1.0", 4}});
}

}  // namespace fraqat::recipe_test
