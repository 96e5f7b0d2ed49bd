#include <doctest/doctest.h>

#include <cmath>

#include "data/augment.hpp"
#include "data/loader.hpp"
#include "models/run/widths.hpp"
#include "nn/layers.hpp"
#include "tests/training/tiny_run.hpp"

namespace fraqat::phases_test {

// The phases one by one, against numbers worked out another way.

namespace {

struct Moments {
  double mean = 0, variance = 0;
};

/// The mean over `count` batches of a data set of each batch's mean and (unbiased) variance.
Moments average_moments(const std::shared_ptr<const data::Dataset>& set, const run::Recipe& recipe,
                        int count) {
  data::Loader loader(set, {recipe.batch, true, true, recipe.seed, false});
  Moments average;
  std::uint32_t epoch = 0;
  loader.start_epoch(epoch);
  for (int i = 0; i < count; ++i) {
    const data::Batch* batch = loader.next();
    if (!batch) {
      loader.start_epoch(++epoch);
      batch = loader.next();
    }
    const Tensor& x = batch->images;
    const auto n = static_cast<double>(x.size());
    double sum = 0, squares = 0;
    for (const float v : x.span()) sum += v;
    for (const float v : x.span()) squares += (v - sum / n) * (v - sum / n);
    average.mean += sum / n / count;
    average.variance += squares / (n - 1) / count;
  }
  return average;
}

/// The lines of metrics.
class Lines final : public run::Observer {
 public:
  void metrics(const nlohmann::ordered_json& line) override { all.push_back(line); }
  std::vector<nlohmann::ordered_json> all;
};

double widest_change(const nlohmann::ordered_json& line, double from) {
  double most = 0;
  for (const auto& [name, bits] : line["bits"].items())
    if (name != "conv.input_q") most = std::max(most, std::abs(bits.get<double>() - from));
  return most;
}

}  // namespace

TEST_CASE("phases: batch norm is re-estimated as the mean over batches, augmented as in training") {
  run::Recipe recipe = test::tiny_recipe("lenet5");
  recipe.augment = "crop-flip";
  const test::TinySession session(recipe);
  const auto cropped = std::make_shared<data::RandomCrop>((*session).train(), 4, recipe.seed);
  const auto set = std::make_shared<data::RandomFlip>(cropped, recipe.seed);
  for (const int batches : {1, 4, 10, 13}) {  // 10 in an epoch
    CAPTURE(batches);
    recipe.reestimate_batches = batches;
    nn::Sequential net;
    auto& norm = static_cast<nn::BatchNorm2d&>(net.add(std::make_unique<nn::BatchNorm2d>(1), "bn"));
    nn::name_modules(net);
    norm.state.mean[0] = 77;
    norm.state.variance[0] = 55;
    const float momentum = norm.options.momentum;
    run::reestimate_batch_norm(*session, net, recipe);
    const Moments expected = average_moments(set, recipe, batches);
    CHECK(norm.state.mean[0] == doctest::Approx(expected.mean).epsilon(1e-5));
    CHECK(norm.state.variance[0] == doctest::Approx(expected.variance).epsilon(1e-6));
    CHECK(norm.options.momentum == momentum);
  }
}

TEST_CASE("phases: calibration sees its batches and sets the ranges") {
  run::Recipe recipe = test::tiny_recipe("lenet5");
  recipe.calibration_batches = 10;  // all of the training data
  recipe.weight.bits = recipe.activation.bits = "fixed";
  recipe.weight.range = recipe.activation.range = "minmax";
  recipe.weight.start = 4;
  const test::TinySession session(recipe);
  const auto model = test::small_net(1);
  quant::attach(*model, run::sample_image(recipe), run::quant_spec(recipe));
  for (const quant::Quantizer* q : quant::quantizers(*model))
    CHECK(q->mode() == quant::Quantizer::Mode::off);
  run::calibrate(*session, *model);
  for (const quant::Quantizer* q : quant::quantizers(*model))
    CHECK(q->mode() == quant::Quantizer::Mode::on);

  const data::Dataset& images = *(*session).train();
  std::vector<float> pixels(28 * 28);
  float low = 0, high = 0, largest = 0;
  for (Index i = 0; i < images.size(); ++i) {
    images.get(i, pixels);
    for (const float v : pixels) {
      low = std::min(low, v);
      high = std::max(high, v);
    }
  }
  auto& conv = static_cast<nn::Conv2d&>(nn::module_at(*model, "conv"));
  for (const float w : conv.weight.value().span()) largest = std::max(largest, std::abs(w));
  const auto scale = [](const nn::Slot& slot, const Tensor& x) {
    return static_cast<quant::Quantizer*>(slot.get())->range().ranges(x).scale.value()[0];
  };
  CHECK(scale(conv.input_q, run::sample_image(recipe)) ==
        doctest::Approx((high - low) / 255).epsilon(1e-6));
  CHECK(scale(conv.weight_q, conv.weight.value()) == doctest::Approx(largest / 7).epsilon(1e-6));
}

TEST_CASE("phases: widths rest while the search warms up, with a price and with a budget") {
  run::Recipe recipe = test::tiny_recipe("lenet5");
  recipe.search.epochs = 2;
  recipe.bit_warmup = 0.5;
  recipe.weight.start = recipe.activation.start = 5;
  SUBCASE("price, Adam") { recipe.lambda = 1; }
  SUBCASE("price, SGD") {
    recipe.lambda = 1;
    recipe.bit_optimizer = "sgd";
  }
  SUBCASE("budget") { recipe.weight.average_bits = recipe.activation.average_bits = 3; }
  SUBCASE("price on one side, budget on the other") {
    recipe.lambda = 1;
    recipe.activation.average_bits = 3;
  }
  const test::TemporaryDirectory folder;
  const run::Options options{folder.path(), {}, {}, {}};
  Lines lines;
  const run::Session session(recipe, options, lines);
  const auto model = test::small_net(1);
  test::quantize(*model, session, recipe);
  run::BitSearch search(*model, recipe);
  run::train(session, *model, recipe, recipe.search, {"search"}, &search);
  REQUIRE(lines.all.size() == 2);
  CHECK(widest_change(lines.all[0], 5) == 0);
  CHECK(widest_change(lines.all[1], 5) > 0.1);
}

TEST_CASE("phases: no epoch of training is a score, too") {
  run::Recipe recipe = test::tiny_recipe("mlp");
  recipe.float_training.epochs = 0;
  const test::TinySession session(recipe);
  const auto model = run::make_model(recipe);
  const run::Score score = run::train(*session, *model, recipe, recipe.float_training, {"float"});
  CHECK(score.loss == run::evaluate(*model, recipe, (*session).test()).loss);
  CHECK(score.loss > 0);
}

TEST_CASE("phases: fractional widths are measured whatever image is left for the last batch") {
  run::Recipe recipe = test::tiny_recipe("lenet5-bn");
  recipe.train_limit = 65;
  for (const Index images : {1, 33, 65}) {
    CAPTURE(images);
    recipe.test_limit = images;
    recipe.search.epochs = recipe.finetune.epochs = 1;
    recipe.losses = "measured";
    recipe.weight.average_bits = 3;
    const test::TinySession session(recipe);
    const std::unique_ptr<nn::Module> model = run::make_model(recipe);
    quant::attach(*model, run::sample_image(recipe), run::quant_spec(recipe));
    run::search_widths(*session, *model);
    const nlohmann::ordered_json& gap = (*session).journal().notes["gap"];
    CHECK(gap.contains("rounded"));
    CHECK(gap.contains("fractional") == (images > 1));
  }
}

}  // namespace fraqat::phases_test
