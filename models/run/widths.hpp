#pragma once

#include "models/run/bit_search.hpp"
#include "models/run/training.hpp"

namespace fraqat::run {

/// The phases in which a network finds its widths.

/// Learns the widths of `model`, calibrated, and makes them whole; saves checkpoints
/// "search" and "rounded".  Notes in the journal, for a run that is gone on with,
/// "budget" (BitSearch::round), "sensitivity" of it, where losses were measured, and
/// "gap": the accuracy at the end of the search ("fractional": evaluate_as_trained, where
/// widths were learned; "searched": hard widths), and right after rounding ("rounded").
/// Without epochs of search there is neither its checkpoint nor its accuracy.
void search_widths(const Session& session, nn::Module& model);

/// The mean loss of `model` on a few batches of the training data, dropout off, with
/// the batches' own statistics: those that batch norm has averaged are of other
/// widths.  Only a network that keeps these, neither trained nor re-estimated, is
/// measured with them.  `session` and `model` must outlive it; the observer is told of
/// each batch.
TrueLoss loss_on_calibration(const Session& session, nn::Module& model);

}  // namespace fraqat::run
