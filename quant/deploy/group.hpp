#pragma once

#include <limits>

#include "core/autograd.hpp"
#include "quant/deploy/graph.hpp"

namespace fraqat::deploy {

/// An integer op in the making: what stands between two quantizers on the tape.
///
///   y = min(max(gain[c] s acc + shift[c], low), high)
///
/// with the accumulator acc of codes and s the product of their scales.  All in
/// double; quantized() rounds M and O to float32, once.
struct Group {
  Op op;                            // without multipliers and output
  bool product = false;             // conv2d or linear
  std::vector<double> gain, shift;  // per channel of a product: 1 and the bias, then batch norm
  bool activated = false;
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

/// The beginnings: a product of value x and w (conv2d or linear), the sum of two
/// values, the average over windows of x_shape[N, H, W, C].
Group product_group(const Node& node, int x, const Weight& w);
Group sum_group(const Node& node, int x1, int x2);
Group average_group(const Node& node, int x, const Shape& x_shape);

/// The group with a batch_norm node behind it:
///   g = gamma / sqrt(variance + epsilon), gain g, shift g + beta - mean g
Group normalised(Group group, const Node& batch_norm);

/// The group with a relu or clip behind it.
Group activated(Group group, double low, double high);

/// The end: an op that leaves the codes of `value`, or accumulators.
///   M = s gain / s_out        O = shift / s_out + Z_out
Op quantized(Group group, const Graph& graph, Value value);
Op unquantized(Group group, const Graph& graph);

}  // namespace fraqat::deploy
