#pragma once

#include "nn/module.hpp"
#include "quant/deploy/graph.hpp"

namespace fraqat::deploy {

/// The integer graph of `model`, read off the tape of a forward pass over the
/// first image of sample[N, ...] in evaluation mode: all quantizers on, bits
/// hard.  conv2d or linear -> batch_norm -> relu or clip -> fake_quant becomes
/// one op, as does add -> relu -> fake_quant; see README.md for the arithmetic.
///
/// An Error names the layers where a pattern has no integer form: an operand
/// without codes, a weight quantized twice, an op that is not known, or a graph
/// that changes with the size of the batch.
Graph lower(nn::Module& model, const Tensor& sample);

}  // namespace fraqat::deploy
