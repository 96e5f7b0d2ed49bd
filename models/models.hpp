#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nn/module.hpp"

namespace fraqat::models {

/// Networks by name.  `sample` is the shape of one image, [H, W, C].
///   mlp          784-256-128-10 with ReLU
///   lenet5       the classic of LeCun et al. (1998) with ReLU and max pooling
///   lenet5-bn    the same with batch norm after each convolution and product
///   tiny-resnet  a stem and three residual blocks of 8, 16 and 32 channels
std::vector<std::string> names();

/// Builds and names the network; an unknown name is an Error that lists names().
std::unique_ptr<nn::Module> make(std::string_view name, const Shape& sample, Index classes,
                                 std::uint64_t seed);

}  // namespace fraqat::models
