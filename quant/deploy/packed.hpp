#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quant/deploy/graph.hpp"

/// The packed model, *.fraqat: a sealed safetensors file.  The tensors are the
/// numbers (LAYER.multiplier, .offset and .scale as F32, LAYER.weight as U8,
/// really packed), the graph is JSON in the metadata.  README.md draws it.
namespace fraqat::deploy {

/// What a packed model says about itself beside its graph.
struct ModelInfo {
  std::string model, data;              // "lenet5-bn", "fashion-mnist"
  std::vector<std::string> classes;     // one name for each logit
  std::vector<double> mean, deviation;  // per channel: x = (pixel / 255 - mean) / deviation
  bool operator==(const ModelInfo&) const = default;
};

struct Packed {
  Graph graph;
  ModelInfo info;
  Index file_bytes = 0;

  /// All that is not data: JSON, its padding, the format's own bytes.
  Index header_bytes() const { return file_bytes - data_bytes(graph); }
};

/// The codes less the lowest of their grid.  Whole bits: one behind the other, channel after
/// channel, from the lowest bit of the first byte on; the bits behind the last code are zero.
/// L levels: the digits to base L of little-endian words (quant/width.hpp), the first code the
/// lowest; the digits behind the last code are zero.
std::vector<std::byte> pack_codes(const Weight& weight);

/// The inverse: fills weight.codes, all else of `weight` being there.  Error{input}, with `where`
/// in front, for a code off the grid, a wrong number of bytes, a word too large for its digits, or
/// anything behind the last code.
void unpack_codes(std::span<const std::byte> bytes, Weight& weight, const std::string& where);

/// The bytes of the file: the same for the same graph and info.
std::vector<std::byte> pack(const Graph& graph, const ModelInfo& info);

/// The inverse, for hostile files; `origin` is the name in Error{input}.
Packed unpack(std::span<const std::byte> file, std::string_view origin);

/// The same to and from the file `path`, written atomically.
void write_packed(const std::string& path, const Graph& graph, const ModelInfo& info);
Packed read_packed(const std::string& path);

}  // namespace fraqat::deploy
