#include <algorithm>

#include "quant/deploy/graph.hpp"

namespace fraqat::deploy {

Index bit_operations(const Graph& graph) {
  Index sum = 0;
  for (const Op& op : graph.ops)
    if (const Product* product = product_of(op))
      sum += products_per_sample(op) * product->weight.bits * graph.value(op.inputs[0]).bits;
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
      if (place[k] == v && wanted) bytes += packed_bytes(value.shape.size(), value.bits);
    }
    most = std::max(most, bytes);
  }
  return most;
}

}  // namespace fraqat::deploy
