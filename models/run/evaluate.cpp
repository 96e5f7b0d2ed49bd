#include <algorithm>

#include "data/loader.hpp"
#include "models/run/deployment.hpp"
#include "models/run/training.hpp"

namespace fraqat::run {
namespace {

/// Adds what `logits` get right, and their summed loss.
void count(const Tensor& logits, const Tensor& labels, Index& correct, double& loss) {
  const Index samples = labels.size(), classes = logits.dim(1);
  const Var mean = op::softmax_cross_entropy(Var(logits), labels);
  loss += static_cast<double>(mean.value().item()) * static_cast<double>(samples);
  for (Index n = 0; n < samples; ++n) {
    const Real* row = logits.data() + n * classes;
    correct += std::max_element(row, row + classes) - row == static_cast<Index>(labels[n]);
  }
}

}  // namespace

Score evaluate(nn::Module& model, const Recipe& recipe,
               const std::shared_ptr<const data::Dataset>& dataset) {
  data::LoaderOptions options;
  options.batch = recipe.batch;
  options.shuffle = false;
  data::Loader loader(dataset, options);
  loader.start_epoch(0);
  deploy::Graph graph;
  const bool deployable = is_deployable(model);
  if (deployable) graph = lower(model, recipe);
  double loss = 0;
  Index correct = 0;
  while (const data::Batch* batch = loader.next())
    count(deployable ? deploy::evaluate(graph, batch->images).logits
                     : model(Var(batch->images)).value(),
          batch->labels, correct, loss);
  const auto size = static_cast<double>(dataset->size());
  return {100 * static_cast<double>(correct) / size, loss / size};
}

}  // namespace fraqat::run
