#include <algorithm>
#include <iostream>

#include "data/loader.hpp"
#include "data/registry.hpp"
#include "models/models.hpp"
#include "optim/optimizer.hpp"
#include "quant/attach.hpp"

using namespace fraqat;

// Trains a small network in float, then with 4-bit weights and activations.
int main() {
  const auto train = data::open("synthetic", data::Split::train, {}, 2048);
  const auto model = models::make("mlp", train->sample(), train->classes(), 1);
  data::Loader loader(train, {.batch = 64});

  const auto learn = [&](std::uint32_t epoch) {
    std::vector<Var> parameters;
    for (const auto& [name, parameter] : nn::parameters(*model)) parameters.push_back(*parameter);
    optim::Adam adam({{.parameters = parameters}});
    loader.start_epoch(epoch);
    Index right = 0;
    while (const data::Batch* batch = loader.next()) {
      const TrainingStep step({1, epoch, static_cast<std::uint32_t>(batch->step)});
      Tape tape;
      const Var scores = (*model)(Var(batch->images));
      for (Index n = 0; n < scores.shape()[0]; ++n) {
        const auto row = scores.value().span().subspan(static_cast<std::size_t>(10 * n), 10);
        right += std::max_element(row.begin(), row.end()) - row.begin() == Index(batch->labels[n]);
      }
      tape.backward(op::softmax_cross_entropy(scores, batch->labels));
      adam.step(1e-3);
      adam.clear_gradients();
    }
    return 100.0 * double(right) / double(train->size());
  };

  for (std::uint32_t epoch = 1; epoch <= 4; ++epoch)
    std::cout << "float " << learn(epoch) << " %\n";

  quant::Spec spec;
  spec.weight.start = spec.activation.start = 4;
  quant::attach(*model, Tensor({1, 28, 28, 1}, 0.0f), spec);
  quant::set_mode(*model, quant::Quantizer::Mode::observe);
  loader.start_epoch(0);
  (*model)(Var(loader.next()->images));
  quant::calibrated(*model);
  std::cout << "4 bits " << learn(5) << " %\n";

  for (quant::Quantizer* q : quant::quantizers(*model)) q->freeze(q->hard_bits());
  std::cout << "frozen " << learn(6) << " %, "
            << quant::average_bits(quant::quantizers(*model), quant::Role::weight, true)
            << " bits a weight\n";
}
