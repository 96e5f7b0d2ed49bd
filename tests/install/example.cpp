#include <iostream>

#include "data/loader.hpp"
#include "models/models.hpp"
#include "models/run/training.hpp"
#include "optim/optimizer.hpp"
#include "quant/attach.hpp"

using namespace fraqat;

// Trains a network for four epochs in float, then for two with 4-bit weights and activations.
int main() {
  const auto train = data::open("synthetic", data::Split::train, {}, 2048);
  const auto test = data::open("synthetic", data::Split::test);
  const auto model = models::make("mlp", train->sample(), train->classes(), 1);
  const quant::Spec four_bits{.weight = {.start = 4}, .activation = {.start = 4}};
  data::Loader loader(train, {.batch = 64});
  for (std::uint32_t epoch = 1; epoch <= 6; ++epoch) {
    if (epoch == 5) quant::quantize(*model, loader.epoch(0).begin()->images, four_bits);
    optim::Adam adam({{.parameters = nn::variables(*model)}});
    for (const data::Batch& batch : loader.epoch(epoch)) {
      Tape tape;
      tape.backward(op::softmax_cross_entropy((*model)(Var(batch.images)), batch.labels));
      adam.step(1e-3);
      adam.clear_gradients();
    }
    std::cout << "epoch " << epoch << ": " << run::evaluate(*model, test).accuracy << " %, "
              << quant::quantizers(*model).size() << " quantizers\n";
  }
}
