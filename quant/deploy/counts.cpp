#include <algorithm>

#include "quant/deploy/graph.hpp"

namespace fraqat::deploy {
namespace {

/// Bits of a code as a fraction: 8 bytes / codes of a radix.
struct Fraction {
  Index above = 0, below = 1;

  explicit Fraction(const Width& width) : above(width.whole_bits()) {
    if (width.whole()) return;
    const quant::Radix radix = quant::radix_of(width.levels());
    above = 8 * radix.bytes;
    below = radix.codes;
  }
};

/// Each channel of a weight has the same number of multiplications.
Index bit_operations(const Op& op, const Weight& weight, const Width& read) {
  const Fraction x(read);
  Index above = 0;  // of all channels; several have whole bits
  for (const Width& width : weight.width) above += Fraction(width).above;
  const Index bits = above * x.above, below = Fraction(weight.width[0]).below * x.below;
  const Index each = products_per_sample(op) / static_cast<Index>(weight.width.size());
  // Divided first: the product may have more than 64 bits where the quotient has not.
  return each / below * bits + (each % below * bits + below - 1) / below;
}

}  // namespace

Index bit_operations(const Graph& graph) {
  Index sum = 0;
  for (const Op& op : graph.ops)
    if (const Product* product = product_of(op))
      sum += bit_operations(op, product->weight, graph.value(op.inputs[0]).width);
  return sum;
}

Index peak_activation_bytes(const Graph& graph) {
  // Op i makes value i + 1.  Of each value: where it is, and which op reads it last.
  const int count = static_cast<int>(graph.ops.size());
  std::vector<int> place(graph.ops.size() + 1, 0), last(graph.ops.size() + 1, -1);
  for (int i = 0; i < count; ++i) {
    const Op& op = graph.ops[static_cast<std::size_t>(i)];
    const auto at = [&](int value) -> int& { return place[static_cast<std::size_t>(value)]; };
    at(i + 1) = std::holds_alternative<Reshape>(op.what) ? at(op.inputs[0]) : i + 1;
    for (const int input : op.inputs) last[static_cast<std::size_t>(at(input))] = i;
  }
  Index most = 0;
  for (int i = 0; i < count; ++i) {
    Index bytes = 0;
    for (int v = 0; v <= i + 1; ++v) {
      const auto k = static_cast<std::size_t>(v);
      const bool wanted = v == i + 1 || last[k] >= i;
      const Value& value = graph.value(v);
      if (place[k] == v && wanted) bytes += value.width.bytes(value.shape.size());
    }
    most = std::max(most, bytes);
  }
  return most;
}

}  // namespace fraqat::deploy
