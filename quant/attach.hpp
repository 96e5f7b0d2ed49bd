#pragma once

#include <string>
#include <utility>
#include <vector>

#include "quant/quantizer.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// What to put into a slot, in the words of a recipe.
struct TensorSpec {
  std::string bits = "fixed";  // one of bit_policies() (bits_by_name.hpp)
  double start = 8;            // the width (fixed) or where the search starts
  int lowest = min_bits, highest = max_bits;
  std::string range = "learned";        // minmax | percentile | mse | kl | learned
  bool per_channel = false;             // weights only, not of a transposed conv
  bool bits_per_channel = false;        // and a bit-width for each of these ranges
  bool narrow_range = true;             // weights: the lowest code is left out, -1 to 1 at 2 bits
  bool affine = false;                  // activations of both signs: zero-point instead of a sign
  bool random_start = false;            // learned widths start anywhere in [lowest, highest]
  double percentile = 99.99;            // of the numbers, inside the range of `percentile`
  double momentum = 0.1;                // minmax of activations: of the moving average; 0: none
  std::string gradient_scale = "none";  // of learned ranges: none | lsq, 1 / sqrt(N hi)
  std::vector<int> candidates = {};     // learned widths, rising; empty: all of [lowest, highest]
};

using WidthsByLayer = std::vector<std::pair<std::string, int>>;  // {"conv1", 8}, {"fc3", 6}

struct Spec {
  TensorSpec weight, activation;
  /// The layer's weight, or what it puts out, is `fixed` at the width.
  WidthsByLayer weight_bits = {}, activation_bits = {};
  int sum_bits = 0;        // of what adds read and make; 0: as other activations
  std::uint64_t seed = 0;  // of random starts
};

/// Fills the slots of `model`: input_q of the first layer (8 bits, affine), each
/// weight_q of a conv, transposed conv, linear or embedding, and output_q of every
/// op that ends a group (product, norm, activation), every op of two tensors and
/// average pool, but not of the last layer.  With sum_bits also input_q of each product
/// that reads what an add reads or makes.  Reads the groups (groups.hpp) from a
/// tape recorded over `sample` [N, ...].  A layer that is applied again and again,
/// as a cell is, has its quantizers once.  A model that looks its input up in an
/// embedding has no input_q.
///
/// The quantizers are off: calibrate next (Mode::observe, then calibrated()).
///
/// Errors: a slot that is filled already, or meets two ops that differ in kind; an
/// op that ends a group without a slot; a product that reads no codes; an image
/// that two ops read; a layer name in `weight_bits` or `activation_bits` that has
/// no such tensor, or stands there twice.
void attach(nn::Module& model, const Tensor& sample, const Spec& spec);

/// attach(), and ranges for every quantizer from a forward pass over `images`.
void quantize(nn::Module& model, const Tensor& images, const Spec& spec);

/// Empties every slot.
void detach(nn::Module& model);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
