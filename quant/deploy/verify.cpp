#include "quant/deploy/verify.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "quant/deploy/followed_module.hpp"

namespace fraqat::deploy {
namespace {

/// Same ops on values of the same shapes: the integers can be compared.
bool comparable(const Graph& a, const Graph& b) {
  return a.input.shape == b.input.shape && std::equal(a.ops.begin(), a.ops.end(), b.ops.begin(),
                                                      b.ops.end(), [](const Op& x, const Op& y) {
                                                        return x.what.index() == y.what.index() &&
                                                               x.inputs == y.inputs &&
                                                               x.output.shape == y.output.shape;
                                                      });
}

void count(Verification& result, const Outputs& evaluated, const Outputs& engine) {
  for (std::size_t i = 0; i < result.layers.size(); ++i) {
    LayerCount& layer = result.layers[i];
    const Integers &a = evaluated.values[i], &b = engine.values[i];
    check(a.size() == b.size(), "[verify] runs of different size in ", layer.layer, ": got ",
          a.size(), " and ", b.size());
    layer.integers += static_cast<Index>(a.size());
    if (a == b) continue;
    const auto each = static_cast<Index>(a.size()) / evaluated.logits.dim(0);
    for (std::size_t k = 0; k < a.size(); ++k) {
      if (a[k] == b[k]) continue;
      ++layer.different;
      const auto position = static_cast<Index>(k);
      if (!result.first)
        result.first = {layer.layer, result.samples + position / each, position % each, a[k], b[k]};
    }
  }
}

Index correct(const std::vector<Index>& predicted, const Tensor& labels) {
  Index hits = 0;
  for (std::size_t n = 0; n < predicted.size(); ++n)
    hits += predicted[n] == static_cast<Index>(labels[static_cast<Index>(n)]);
  return hits;
}

}  // namespace

Index Verification::integers() const {
  Index sum = 0;
  for (const LayerCount& layer : layers) sum += layer.integers;
  return sum;
}

Index Verification::different_integers() const {
  Index sum = 0;
  for (const LayerCount& layer : layers) sum += layer.different;
  return sum;
}

Index Verification::off_codes() const {
  Index sum = 0;
  for (const LayerCount& layer : layers) sum += layer.off;
  return sum;
}

bool Verification::passed() const {
  const bool module_agrees =
      !has_module || (different_predictions <= allowed_predictions() &&
                      std::abs(engine_correct - module_correct) <= allowed_predictions() &&
                      std::all_of(layers.begin(), layers.end(),
                                  [](const LayerCount& layer) { return layer.followed(); }));
  return samples > 0 && different_integers() == 0 && graph_differences.empty() && module_agrees;
}

Verification verify(const Graph& packed, const Graph* reference, nn::Module* module,
                    const Batches& batches) {
  check(!TrainingStep::current(), "[verify] inside a training step; expected evaluation mode");
  Verification result;
  if (reference) result.graph_differences = graph_differences(packed, *reference);
  const Graph& evaluated_graph = reference && comparable(packed, *reference) ? *reference : packed;
  result.has_module = module != nullptr;
  result.layers.push_back({"input", "image"});
  for (const Op& op : packed.ops) result.layers.push_back({std::string(name_of(op)), op.layer});

  const Engine engine(packed);
  std::optional<FollowedModule> followed;
  if (module) followed.emplace(*module, evaluated_graph);
  for (Batch batch; batches(batch);) {
    const Index n = batch.images.dim(0);
    check(batch.labels.size() == n, "[verify] labels do not fit: got ", batch.labels.size(),
          " labels for ", n, " images");
    const Outputs engine_run = engine.run(batch.images, true);
    const Outputs evaluated = evaluate(evaluated_graph, batch.images, true);
    count(result, evaluated, engine_run);
    const std::vector<Index> predicted = predictions(engine_run);
    result.engine_correct += correct(predicted, batch.labels);
    if (followed) {
      Outputs module_run;
      module_run.logits = (*followed)(batch.images, evaluated, result.layers);
      const std::vector<Index> wanted = predictions(module_run);
      result.module_correct += correct(wanted, batch.labels);
      for (std::size_t i = 0; i < wanted.size(); ++i)
        result.different_predictions += wanted[i] != predicted[i];
    }
    result.samples += n;
  }
  return result;
}

}  // namespace fraqat::deploy
