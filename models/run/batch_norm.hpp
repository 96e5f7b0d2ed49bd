#pragma once

#include <vector>

#include "models/run/session.hpp"
#include "nn/normalisation.hpp"

namespace fraqat::run {

/// All batch norms of `model`, in order of visit.
std::vector<nn::BatchNorm*> norms_of(nn::Module& model);

/// The last word on the running statistics of every batch norm, for the network as it
/// is now.  What was trained is measured anew (reestimate_batch_norm).  What was not keeps
/// those it came with, moved by what quantization does to them:
///
///   variance <- variance * quantized / float
///   mean     <- mean + (quantized - float) sqrt(variance / float variance)
///
/// "quantized" and "float" being measured on the same batches, in this network and in
/// the float one.  For statistics belong to the images of the training before, and its
/// augmentation may not be known here.
void settle_batch_norm(const Session& session, nn::Module& model, const Recipe& recipe);

}  // namespace fraqat::run
