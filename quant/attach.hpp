#pragma once

#include <string>
#include <vector>

#include "quant/quantizer.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// What to put into a slot, in the words of a recipe.
struct TensorSpec {
  std::string bits =
      "fixed";       // fixed | logits-argmax | logits-gumbel | logits-mixture | stochastic
  double start = 8;  // the width (fixed) or where the search starts
  int lowest = min_bits, highest = max_bits;
  std::string range = "learned";  // minmax | mse | learned
  bool per_channel = false;       // weights only
  bool affine = false;            // activations of both signs: zero-point instead of a sign;
                                  // learned ranges have none, mse is taken then
  bool random_start = false;      // learned widths start anywhere in [lowest, highest]
};

struct Spec {
  TensorSpec weight, activation;
  /// Widths by layer name ("conv1", "fc3"): the layer's weight is `fixed` at it.
  std::vector<std::pair<std::string, int>> weight_bits = {};
  std::uint64_t seed = 0;  // of random starts
};

/// Fills the slots of `model`: input_q of the first layer (8 bits, affine), each
/// Conv and Linear weight_q, and output_q of every op that ends a group (conv or
/// linear, batch norm, activation), add and average pool, but not of the last
/// layer.  Reads the groups from a tape recorded over `sample` [1, ...].
///
/// The quantizers are off: calibrate next (Mode::observe, then calibrated()).
///
/// Errors: a slot that is filled already; an op that ends a group without a
/// slot; a product that reads no codes; an image that two ops read; a layer name
/// in `weight_bits` that does not exist, or stands there twice.
void attach(nn::Module& model, const Tensor& sample, const Spec& spec);

/// attach(), and ranges for every quantizer from a forward pass over `images`.
void quantize(nn::Module& model, const Tensor& images, const Spec& spec);

/// Empties every slot.
void detach(nn::Module& model);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
