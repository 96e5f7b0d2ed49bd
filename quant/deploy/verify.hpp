#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "nn/module.hpp"
#include "quant/deploy/engine.hpp"

namespace fraqat::deploy {

struct Batch {
  Tensor images, labels;  // [N, ...] and [N], whole numbers
};

/// Fills in the next batch; false where there is none left.
using Batches = std::function<bool(Batch& batch)>;

/// One integer that two programs do not share.
struct Difference {
  std::string layer;
  Index sample = 0, position = 0;  // in the data set; in the layer's output of one sample
  std::int32_t evaluated = 0, engine = 0;
};

/// The integers of one value: the image's codes, or an op's output.
struct LayerCount {
  std::string op, layer;
  Index integers = 0, different = 0;

  /// Of these, codes that the module gives otherwise to what it makes of the same inputs, and
  /// by more than one.
  Index off = 0, far = 0;

  /// It rounds by itself: numbers next to a tie may be off by one.  0.1 % of them, but one in
  /// any case.
  bool followed() const { return far == 0 && off <= (integers > 1000 ? integers / 1000 : 1); }
};

struct Verification {
  Index samples = 0;
  std::vector<LayerCount> layers;   // the image, then op by op
  std::optional<Difference> first;  // in order of samples' batches, then of layers

  Index engine_correct = 0;

  bool has_module = false;  // the next two are of the module forward, as FollowedModule has it
  Index module_correct = 0;
  Index different_predictions = 0;

  /// Where the graph of the file is not the one lowered from the checkpoint.
  std::vector<std::string> graph_differences;

  Index integers() const;
  Index different_integers() const;
  Index off_codes() const;
  double engine_accuracy() const { return share(engine_correct); }
  double module_accuracy() const { return share(module_correct); }

  /// How many predictions may differ: 0.1 % of the samples, but one in any case.
  Index allowed_predictions() const { return samples > 1000 ? samples / 1000 : 1; }

  /// Every integer equal, the graphs equal, codes, predictions and accuracy of the module
  /// within what is allowed, and at least one sample.
  bool passed() const;

 private:
  double share(Index count) const {
    return samples ? static_cast<double>(count) / static_cast<double>(samples) : 0;
  }
};

/// Runs all batches through the engine on `packed` and through evaluate() on
/// `reference` (the graph lowered from a checkpoint; nullptr: `packed` itself)
/// and compares every integer; through `module` as well, where there is one, layer by layer
/// (followed_module.hpp), and compares codes and predictions.  Where the two graphs have not even
/// the same ops and shapes, evaluate() gets `packed` too: graph_differences says what is wrong.
Verification verify(const Graph& packed, const Graph* reference, nn::Module* module,
                    const Batches& batches);

/// What differs, layer by layer, one line each; empty for equal graphs.
std::vector<std::string> graph_differences(const Graph& file, const Graph& checkpoint);

}  // namespace fraqat::deploy
