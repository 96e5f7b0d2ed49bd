#include <algorithm>

#include "data/loader.hpp"
#include "models/run/batches.hpp"
#include "models/run/deployment.hpp"
#include "models/run/training.hpp"
#include "nn/state.hpp"

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

/// Of the logits that `forward` makes of a batch of images.
template <class Forward>
Score score(const std::shared_ptr<const data::Dataset>& dataset, Index batch_size,
            const Forward& forward) {
  data::Loader loader(dataset, {.batch = batch_size, .shuffle = false});
  double loss = 0;
  Index correct = 0;
  for (const data::Batch& batch : loader.epoch(0))
    count(forward(batch.images), batch.labels, correct, loss);
  const auto size = static_cast<double>(dataset->size());
  return {100 * static_cast<double>(correct) / size, loss / size};
}

}  // namespace

Score evaluate(nn::Module& model, const std::shared_ptr<const data::Dataset>& dataset,
               Index batch) {
  return score(dataset, batch, [&](const Tensor& images) { return model(Var(images)).value(); });
}

Score evaluate_as_trained(nn::Module& model, const Recipe& recipe,
                          const std::shared_ptr<const data::Dataset>& dataset) {
  std::vector<std::pair<Tensor*, Tensor>> before;
  for (auto& [name, buffer] : nn::buffers(model)) before.emplace_back(buffer, buffer->clone());
  std::uint32_t batch = 0;
  const Index size = batch_with_statistics(recipe, dataset->size());
  const Score result = score(dataset, size, [&](const Tensor& images) {
    const TrainingStep step({recipe.seed, 0, batch++});
    return model(Var(images)).value();
  });
  for (auto& [buffer, numbers] : before) *buffer = numbers;
  return result;
}

Score evaluate(nn::Module& model, const Recipe& recipe,
               const std::shared_ptr<const data::Dataset>& dataset) {
  if (!is_deployable(model)) return evaluate(model, dataset, recipe.batch);
  const deploy::Graph graph = lower(model, recipe);
  return score(dataset, recipe.batch,
               [&](const Tensor& images) { return deploy::evaluate(graph, images).logits; });
}

}  // namespace fraqat::run
