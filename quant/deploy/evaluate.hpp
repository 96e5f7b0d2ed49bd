#pragma once

#include <vector>

#include "core/tensor.hpp"
#include "quant/deploy/graph.hpp"

namespace fraqat::deploy {

/// The integers that a run leaves: codes (or, for the last op, accumulators) of
/// all samples, one after the other.
using Integers = std::vector<std::int32_t, PoolAllocator<std::int32_t>>;

struct Outputs {
  Integers accumulators;         // of the last op: [N, classes]
  Tensor logits;                 // float(acc) M + O, the same shape
  std::vector<Integers> values;  // value 0 (the image), 1, ... of the graph, where asked for
};

/// Index of the largest logit of each sample; the first of equal ones.
std::vector<Index> predictions(const Outputs& outputs);

/// The logits that belong to the accumulators of the last op of `graph`.
Tensor logits_of(const Graph& graph, const Integers& accumulators, Index samples);

/// The first program: runs `graph` on images[N, ...] with the float operators
/// of core, on tensors that hold whole numbers.  Products of whole numbers are
/// exact in float32 while every partial sum stays within 2^24, whatever the
/// order; weights that could go beyond are split into parts that cannot, and
/// the parts are added as integers.
Outputs evaluate(const Graph& graph, const Tensor& images, bool keep_values = false);

/// The weights w of one product as a sum of parts, so that no row of a part has
/// sum |part| reach > 2^24.  [w] itself where it already satisfies that.
std::vector<Tensor> exact_parts(const Weight& weight, std::int64_t reach);

}  // namespace fraqat::deploy
