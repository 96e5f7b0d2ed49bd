#pragma once

#include "models/run/run.hpp"

namespace fraqat::run {

/// The first question to a network that does not learn: can it learn one batch
/// by heart?  Trains the float network of the recipe on the first batch alone, at
/// the constant rate of [float], without dropout, for at most `steps` steps or
/// until the batch is known: every label right and the loss below a tenth of the
/// first.  Writes no file.
///
/// Returns {"steps", "first_loss", "loss", "accuracy", "learned"}; calls the
/// observer with phase "overfit".
nlohmann::ordered_json overfit_one_batch(const Recipe& recipe, const Options& options,
                                         Observer& observer, Index steps = 300);

}  // namespace fraqat::run
