#pragma once

#include <memory>

#include "nn/init.hpp"
#include "nn/module.hpp"

/// The builders behind models.hpp, one file a family.
namespace fraqat::models {

/// What a network is built for.
struct Build {
  Index height, width, channels, classes;
  nn::Initializer init;
};

// plain.cpp: one layer after the other.
std::unique_ptr<nn::Module> mlp(Build& b);
std::unique_ptr<nn::Module> lenet5(Build& b, bool with_batch_norm);
std::unique_ptr<nn::Module> cnn_32_64(Build& b);

// resnet.cpp: how a block passes its input on where shapes differ.
enum class Shortcut { pad, project };
std::unique_ptr<nn::Module> tiny_resnet(Build& b);
std::unique_ptr<nn::Module> resnet(Build& b, int depth, Shortcut shortcut);

}  // namespace fraqat::models
