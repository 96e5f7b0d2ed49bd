#pragma once

#include <functional>
#include <string>

#include "models/run/bit_search.hpp"
#include "models/run/session.hpp"

namespace fraqat::run {

/// How well a network does on a data set, in evaluation mode.
struct Score {
  double accuracy = 0;            // percent
  double loss = 0;                // mean cross-entropy
  double samples_per_second = 0;  // of the training before it, if any
};

/// Of the module forward; once all widths are decided, of the deploy form, so
/// that what is reported is what is deployed.
Score evaluate(nn::Module& model, const Recipe& recipe,
               const std::shared_ptr<const data::Dataset>& dataset);

/// The same of the module forward, for any network.
Score evaluate(nn::Module& model, const std::shared_ptr<const data::Dataset>& dataset,
               Index batch = 128);

/// The same, each batch as a step of training sees it: widths mixed or drawn, batch norm with the
/// batch's own statistics.  Leaves the network as it was.
Score evaluate_as_trained(nn::Module& model, const Recipe& recipe,
                          const std::shared_ptr<const data::Dataset>& dataset);

/// One stretch of training.
struct Stretch {
  std::string phase;    // its name in the metrics
  int first_epoch = 0;  // of the run: keeps the random streams of stretches apart
  int counted = 0;      // epochs of the same phase before this stretch
};

/// Trains `model`; with a search, its widths learn, too.  Leaves a line of
/// metrics for each epoch and returns the last score.
Score train(const Session& session, nn::Module& model, const Recipe& recipe,
            const Training& training, const Stretch& stretch, BitSearch* search = nullptr);

/// Shows `recipe.calibration_batches` batches to the quantizers of `model` and
/// sets their ranges.  Stopped, it saves the float network: no range is right yet.
void calibrate(const Session& session, nn::Module& model);

/// Replaces the running statistics of every batch norm by the average over
/// `recipe.reestimate_batches` batches as training sees them, augmented, but with widths hard
/// and no dropout: of images as they are the statistics are others than the weights were
/// trained for.
void reestimate_batch_norm(const Session& session, nn::Module& model, const Recipe& recipe);

}  // namespace fraqat::run
