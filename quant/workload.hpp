#pragma once

#include <utility>
#include <vector>

#include "quant/quantizer.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// What a network with quantizers does for one sample, as far as it matters to
/// hardware: which codes are multiplied with which, and what is in memory when.
/// Tensors are told by their position in `quantizers`.
struct Workload {
  /// `macs` times a code of tensor `left` is multiplied by one of `right`.
  struct Product {
    std::size_t left = 0, right = 0;
    Index macs = 0;
  };

  /// Codes of a tensor in memory: a pool's output has the codes of its input, but
  /// needs room of its own.
  struct Room {
    std::size_t tensor = 0;
    Index elements = 0;
  };

  /// Everything that is in memory while one integer op runs: what it reads, what
  /// it writes, and what a later one will read.
  struct Moment {
    std::vector<Room> rooms;
    Index other_bytes = 0;  // accumulators that leave the network, 4 bytes each
  };

  std::vector<Quantizer*> quantizers;  // all that fill slots, as quantizers() has them
  std::vector<Product> products;       // one for each pair of tensors
  std::vector<Moment> moments;         // in the order in which the integer ops run
  std::vector<std::pair<std::size_t, std::size_t>> added;  // both operands of each add
};

/// Read from a forward pass of `sample` [N, ...], whatever mode the quantizers
/// are in.  They must outlive the workload, and so must the slots they fill.
Workload workload_of(nn::Module& model, const Tensor& sample);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
