#pragma once

#include <filesystem>

#include "data/loader.hpp"
#include "models/run/recipe.hpp"
#include "quant/deploy/packed.hpp"
#include "quant/deploy/verify.hpp"

namespace fraqat::run {

/// True once every width of the network is decided, so that it can be lowered.
bool is_deployable(nn::Module& model);

/// The integer graph of the network of a recipe.
deploy::Graph lower(nn::Module& model, const Recipe& recipe);

/// What the packed file says besides its graph.
deploy::ModelInfo model_info(const Recipe& recipe);

/// All of `dataset` once, in order, as verify() wants it.
deploy::Batches batches_of(const std::shared_ptr<const data::Dataset>& dataset, int batch);

}  // namespace fraqat::run
