#pragma once

#include <memory>
#include <string>

#include "models/models.hpp"
#include "quant/attach.hpp"
#include "tests/deploy/random_graph.hpp"

namespace fraqat::test {

/// The network `name` for images [28, 28, 1], or of another size, and 10 classes: weights of 2 to 8
/// bits in turn, half of the channels' gammas negative, running statistics away
/// from 0 and 1, ranges calibrated on model_images.  `affine` activations have
/// zero-points.  Stored as levels, weights and activations have level
/// counts; as channels, every row of a weight its own bits.  With sum_bits sums have that
/// width; without narrow_range weights have all codes of their widths.
std::unique_ptr<nn::Module> quantized_model(const std::string& name, bool affine,
                                            const Shape& sample = {28, 28, 1},
                                            Stored stored = Stored::bits, int sum_bits = 0,
                                            bool narrow_range = true);

/// [count, ...sample], normal numbers, smooth over neighbours.
Tensor model_images(Index count, std::uint64_t seed, const Shape& sample = {28, 28, 1});

}  // namespace fraqat::test
