#include "tests/training/tiny_run.hpp"

#include "nn/layers.hpp"

namespace fraqat::test {

run::Recipe tiny_recipe(const std::string& model) {
  run::Recipe recipe;
  recipe.name = "tiny";
  recipe.model = model;
  recipe.data = "synthetic";
  recipe.batch = 32;
  recipe.train_limit = 320;
  recipe.test_limit = 200;
  recipe.calibration_batches = 4;
  for (run::Training* stretch : {&recipe.float_training, &recipe.search, &recipe.finetune}) {
    stretch->epochs = 1;
    stretch->rate = 0.02;
  }
  recipe.reestimate_batches = 5;
  return recipe;
}

std::unique_ptr<nn::Sequential> small_net(std::uint64_t seed, bool noisy) {
  nn::Initializer init(seed);
  auto net = std::make_unique<nn::Sequential>();
  const auto activate = [&](const std::string& number, Index channels) {
    if (noisy) net->add(std::make_unique<nn::BatchNorm2d>(channels), "bn" + number);
    net->add(std::make_unique<nn::Relu>(), "relu" + number);
    if (noisy) net->add(std::make_unique<nn::Dropout>(Real(0.2)), "dropout" + number);
  };
  net->add(std::make_unique<nn::Conv2d>(1, 8, 5, init, op::Conv2dOptions{4, 2}), "conv");
  activate("1", 8);
  net->add(std::make_unique<nn::Flatten>(), "flatten");
  net->add(std::make_unique<nn::Linear>(7 * 7 * 8, 16, init), "fc1");
  activate("2", 16);
  net->add(std::make_unique<nn::Linear>(16, 10, init), "fc2");
  nn::name_modules(*net);
  return net;
}

void quantize(nn::Module& model, const run::Session& session, const run::Recipe& recipe) {
  quant::attach(model, run::sample_image(recipe), run::quant_spec(recipe));
  run::calibrate(session, model);
}

}  // namespace fraqat::test
