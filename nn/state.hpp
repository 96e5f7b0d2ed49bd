#pragma once

#include <map>
#include <string>
#include <string_view>

#include "nn/module.hpp"
#include "nn/safetensors.hpp"

/// The numbers of a network by dotted name ("features.0.weight"), to and from
/// safetensors files.
namespace fraqat::inline FRAQAT_PRECISION::nn {

using Metadata = std::map<std::string, std::string>;
using NamedTensors = std::map<std::string, Tensor>;

/// Copies of all parameters and buffers of `module`, those of filled slots
/// included.  A buffer without storage is not part of the state.
NamedTensors state_of(Module& module);

/// Copies `state` into the module's own storage, after check_same_layout(): on an
/// error nothing has changed.
void apply_state(Module& module, const NamedTensors& state, std::string_view origin);

/// Refuses a `state` that has not exactly the names and shapes of `expected`:
/// tensors that are missing, extra or of another shape are all listed in one
/// Error{input}.  `origin` names where `state` is from.
void check_same_layout(const NamedTensors& expected, const NamedTensors& state,
                       std::string_view origin);

/// `state` with `prefix` before every name, so that one file can hold the
/// network ("model.") and what trains it ("optimizer.").
NamedTensors with_prefix(std::string_view prefix, const NamedTensors& state);

/// What with_prefix put there: the tensors under `prefix`, without it.
NamedTensors under_prefix(std::string_view prefix, const NamedTensors& state);

/// To and from a file in memory; all tensors are F32, and one that holds NaN or
/// an infinity is refused on the way in, by name and index.
SafeTensors to_safetensors(const NamedTensors& state, const Metadata& metadata = {});
NamedTensors from_safetensors(const SafeTensors& tensors, std::string_view origin);

/// The state of `module` as a sealed safetensors file with `metadata`, written
/// atomically.
void save_state(Module& module, const std::string& path, const Metadata& metadata = {});

/// The inverse: all or nothing; returns the file's metadata.
Metadata load_state(Module& module, const std::string& path);

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
