#pragma once

#include "models/run/session.hpp"
#include "nn/state.hpp"

namespace fraqat::run {

/// The arms of a run: networks that differ in one thing.  Each function trains
/// one of them, saves its checkpoint and appends {"name", "accuracy", "loss",
/// "bytes", "avg_weight_bits", "avg_activation_bits", "hash"} to `arms`.  What an earlier part
/// of a resumed run has finished is read instead.

/// The float network of the recipe, trained, or read from --from or --weights.
std::unique_ptr<nn::Module> float_model(const Session& session, nlohmann::ordered_json& arms);

/// The float network, trained through the same stretches as the quantized ones: what
/// they should be compared with.
void longer_float_arm(const Session& session, const nn::NamedTensors& start,
                      nlohmann::ordered_json& arms);

/// From the float network `start`, the same stretches as the learned network,
/// with all widths fixed at `bits`; `ends8`: but the first and last weight at 8.
void uniform_arm(const Session& session, const nn::NamedTensors& start, int bits, bool ends8,
                 nlohmann::ordered_json& arms);

/// The same with random widths, which cost as many bits as those of `learned` (at
/// least 99 % of them), weights and activations apart.
void random_arm(const Session& session, const nn::NamedTensors& start, int number,
                nn::Module& learned, nlohmann::ordered_json& arms);

/// From the float network to one with learned, frozen widths.  Adds to `result`,
/// besides its arm, "budget", "gap", "samples_per_second" and, where losses were
/// measured, "sensitivity".
std::unique_ptr<nn::Module> learned_arm(const Session& session, std::unique_ptr<nn::Module> model,
                                        nlohmann::ordered_json& result);

/// Data bytes of the packed model: codes, multipliers, offsets, scales.
Index packed_bytes(nn::Module& model);

/// Name, layer, role, elements, widths and bytes of every quantized tensor.
nlohmann::ordered_json tensors_of(nn::Module& model);

}  // namespace fraqat::run
