#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "models/run/recipe.hpp"
#include "nn/module.hpp"
#include "nn/state.hpp"
#include "quant/quantizer.hpp"

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

/// SHA-256, in hexadecimal, of what a run came to: the checkpoint without the recipe in
/// it, so that the same tensors and widths have the same hash in releases whose recipes
/// have more keys.
std::string result_hash(const std::filesystem::path& checkpoint);

/// The width that evaluation uses as a number, the mean of all channels where each has its own.
nlohmann::ordered_json hard_bits_json(const quant::Quantizer& quantizer);

/// The widths of all quantizers as JSON, {"conv1.weight_q": [5.31, 5]}: the
/// fractional one, and the integer one where it is frozen; empty if there are none.
/// Where every channel has its own they are lists, [[5.31, 2.2], [5, 2]]; a level count
/// is an object, [3.4, {"levels": 11}].
std::string widths_text(nn::Module& model);

/// Freezes the quantizers of `model` that are frozen in `text`; `origin` is its
/// name in errors.
void apply_widths(nn::Module& model, const std::string& text, const std::string& origin);

/// True if the safetensors metadata says that the file is a checkpoint of ours.
bool is_checkpoint(const nn::Metadata& metadata);

}  // namespace fraqat::run
