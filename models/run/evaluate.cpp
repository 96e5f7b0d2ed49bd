#include "data/loader.hpp"
#include "models/run/training.hpp"

namespace fraqat::run {

Score evaluate(nn::Module& model, const std::shared_ptr<const data::Dataset>& dataset, int batch) {
  data::LoaderOptions options;
  options.batch = batch;
  options.shuffle = false;
  data::Loader loader(dataset, options);
  loader.start_epoch(0);
  double loss = 0;
  Index correct = 0;
  while (const data::Batch* next = loader.next()) {
    const Var logits = model(Var(next->images));
    const Index samples = next->labels.size(), classes = logits.value().dim(1);
    const Var mean = op::softmax_cross_entropy(logits, next->labels);
    loss += static_cast<double>(mean.value().item()) * static_cast<double>(samples);
    for (Index n = 0; n < samples; ++n) {
      const Real* row = logits.value().data() + n * classes;
      const Index best = std::max_element(row, row + classes) - row;
      correct += best == static_cast<Index>(next->labels[n]);
    }
  }
  const auto size = static_cast<double>(dataset->size());
  return {100 * static_cast<double>(correct) / size, loss / size};
}

}  // namespace fraqat::run
