#pragma once

#include <functional>
#include <string>

#include "models/run/bit_search.hpp"
#include "models/run/session.hpp"

namespace fraqat::run {

/// How well a network does on a data set, in evaluation mode.
struct Score {
  double accuracy = 0;  // percent
  double loss = 0;      // mean cross-entropy
};

/// Of the module forward; once all widths are decided, of the deploy form, so
/// that what is reported is what is deployed.
Score evaluate(nn::Module& model, const Recipe& recipe,
               const std::shared_ptr<const data::Dataset>& dataset);

/// One stretch of training by the name of `phase`; epochs count on from
/// `first_epoch`, which keeps the random streams of stretches apart.  With a
/// search, its widths learn, too.  Leaves a line of metrics for each epoch and
/// returns the last score.
Score train(const Session& session, nn::Module& model, const Recipe& recipe,
            const Training& training, const std::string& phase, int first_epoch,
            BitSearch* search = nullptr);

/// Shows `recipe.calibration_batches` batches to the quantizers of `model` and
/// sets their ranges.
void calibrate(const Session& session, nn::Module& model);

/// Replaces the running statistics of every batch norm by the average over
/// `batches` batches of the training data, widths hard and no dropout.
void reestimate_batch_norm(const Session& session, nn::Module& model, int batches);

}  // namespace fraqat::run
