#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nn/module.hpp"

namespace fraqat::models {

/// Networks by name:
///   mlp          two hidden layers of 256 and 128 with ReLU
///   lenet5       the classic of LeCun et al. (1998) with ReLU and max pooling,
///                for images of 12 x 12 or more
///   lenet5-bn    the same with batch norm after each convolution and product
///   cnn-32-64    two convolutions of 32 and 64 channels, two products
///   tiny-resnet  a stem and three residual blocks of 8, 16 and 32 channels
///   resnet20, resnet32, resnet44, resnet56
///                those of He et al. (2016) for CIFAR-10, stages of 16, 32 and
///                64 channels, with shortcuts that have no parameters
///   resnet20-b, resnet32-b, resnet44-b, resnet56-b
///                the same with convolutions of 1 x 1 where shapes differ
std::vector<std::string> names();

/// Builds and names the network for images of `sample`, [H, W, C]; its initial
/// weights depend on `seed`.  An unknown name is a usage Error that lists names().
std::unique_ptr<nn::Module> make(std::string_view name, const Shape& sample, Index classes,
                                 std::uint64_t seed);

}  // namespace fraqat::models
