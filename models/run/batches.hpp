#pragma once

#include <memory>

#include "data/loader.hpp"
#include "models/run/recipe.hpp"

/// What a network sees of its data, in training and where it is measured on training data.
namespace fraqat::run {

/// Shuffled batches of the recipe's size, the last one dropped if it is smaller.
data::LoaderOptions loader_options(const Recipe& recipe);

/// The recipe's size of a batch, or the next larger one that leaves no last batch of a single one
/// of `samples`, of which batch norm has no statistics.
Index batch_with_statistics(const Recipe& recipe, Index samples);

/// What training sees of `set`, and batch-norm statistics are of; calibration sees it as it is.
std::shared_ptr<const data::Dataset> augmented(std::shared_ptr<const data::Dataset> set,
                                               const Recipe& recipe);

}  // namespace fraqat::run
