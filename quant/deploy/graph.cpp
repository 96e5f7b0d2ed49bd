#include "quant/deploy/graph.hpp"

#include <algorithm>
#include <cstdlib>

namespace fraqat::deploy {

std::int64_t Value::reach() const {
  return std::max(std::abs(std::int64_t{grid.lo} - zero), std::abs(std::int64_t{grid.hi} - zero));
}

std::string_view name_of(const Op& op) {
  constexpr std::string_view names[] = {"conv2d",     "linear", "add",          "avg_pool2d",
                                        "max_pool2d", "clamp",  "pad_channels", "reshape"};
  static_assert(std::size(names) == std::variant_size_v<decltype(op.what)>);
  return names[op.what.index()];
}

const Product* product_of(const Op& op) {
  if (const auto* conv = std::get_if<Conv2d>(&op.what)) return conv;
  return std::get_if<Linear>(&op.what);
}

bool acts_on_codes(const Op& op) {
  return !product_of(op) && !std::holds_alternative<Add>(op.what) &&
         !std::holds_alternative<AvgPool2d>(op.what);
}

std::vector<std::int64_t> accumulator_bounds(const Graph& graph, const Op& op) {
  const std::int64_t reach = graph.value(op.inputs[0]).reach();
  if (const auto* pool = std::get_if<AvgPool2d>(&op.what))
    return {pool->height * pool->width * reach};
  std::vector<std::int64_t> bounds;
  if (const Product* product = product_of(op)) {
    const auto& codes = product->weight.codes;
    const auto length = static_cast<std::size_t>(product->weight.shape.size()) /
                        static_cast<std::size_t>(product->weight.shape[0]);
    for (std::size_t begin = 0; begin < codes.size(); begin += length) {
      std::int64_t sum = 0;
      for (std::size_t i = begin; i < begin + length; ++i) sum += std::abs(int{codes[i]});
      bounds.push_back(sum * reach);
    }
  }
  return bounds;
}

Index Weight::bytes() const {
  if (width.size() == 1) return width[0].bytes(shape.size());
  Index bits = 0;
  for (const Width& each : width) bits += shape.size() / shape[0] * each.whole_bits();
  return (bits + 7) / 8;
}

double Weight::bits() const {
  double sum = 0;
  for (const Width& each : width) sum += each.bits();
  return sum / static_cast<double>(width.size());
}

Index data_bytes(const Op& op) {
  const Product* product = product_of(op);
  if (!product) return 0;
  const Weight& weight = product->weight;
  const auto floats = weight.scale.size() + product->multiplier.size() + product->offset.size();
  return weight.bytes() + 4 * static_cast<Index>(floats);
}

Index data_bytes(const Graph& graph) {
  Index sum = 0;
  for (const Op& op : graph.ops) sum += data_bytes(op);
  return sum;
}

Index products_per_sample(const Op& op) {
  const Product* product = product_of(op);
  if (!product) return 0;
  return product->weight.shape.size() * (op.output.shape.size() / product->weight.shape[0]);
}

}  // namespace fraqat::deploy
