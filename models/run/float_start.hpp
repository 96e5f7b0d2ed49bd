#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "models/run/recipe.hpp"
#include "nn/module.hpp"

namespace fraqat::run {

/// The float network of `recipe` with the numbers that `path` holds: a float
/// checkpoint of ours, whose network and data must be those of the recipe, or
/// PyTorch's weights (models/weights.hpp).  The contents decide, not the name.
std::unique_ptr<nn::Module> read_float_model(const Recipe& recipe,
                                             const std::filesystem::path& path);

/// SHA-256 of such a file.
std::string start_hash(const std::filesystem::path& path);

}  // namespace fraqat::run
