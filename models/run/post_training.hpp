#pragma once

#include <string>
#include <vector>

#include "models/run/recipe.hpp"

namespace fraqat::run {

/// The recipe that quantizes a float network without training it: run() does it, with
/// Options::from.  Of `network` it takes model, data, batch and seed; it has no epochs,
/// ranges are those of least squared error, weights have one for each output channel,
/// and batch norm is settled on 32 batches (batch_norm.hpp).
///
/// `settings` ("quant.weight.start=4") change any key.  A side that no budget counts is
/// whole from the start, of width `start`, here 8.  Where they set a budget, the widths
/// that it counts are found: each tensor's loss at each width is measured on calibration
/// batches, the others at their `start`, and the exact knapsack of these losses taken;
/// `start` is the budget's average there, if it has one.  With `sensitivity` these losses
/// are measured where no budget asks for them, too.
///
/// Epochs of search or of fine-tuning in `settings` follow as in any run.  Errors are
/// those of override_keys(), and a usage Error if they turn quantization off.
Recipe post_training_recipe(const Recipe& network, const std::vector<std::string>& settings,
                            bool sensitivity = false);

}  // namespace fraqat::run
