#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "models/run/recipe.hpp"
#include "nn/module.hpp"
#include "nn/state.hpp"

namespace fraqat::run {

/// A network with everything that is needed to build it again: the tensors of
/// nn::state_of, and in the metadata the recipe, the phase it comes from and,
/// once quantizers are attached, each one's fractional and integer width.
void save_checkpoint(const std::filesystem::path& path, nn::Module& model, const Recipe& recipe,
                     const std::string& phase);

struct Loaded {
  Recipe recipe;
  std::string phase;
  bool quantized = false;  // quantizers are attached and on; frozen where they were
  std::unique_ptr<nn::Module> model;
};

/// The inverse.  Errors are of kind input and name the file.
Loaded load_checkpoint(const std::filesystem::path& path);

/// True if the safetensors metadata says that the file is a checkpoint of ours.
bool is_checkpoint(const nn::Metadata& metadata);

}  // namespace fraqat::run
