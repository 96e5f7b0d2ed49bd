#include "quant/deploy/group.hpp"

#include <algorithm>
#include <cmath>

namespace fraqat::deploy {
namespace {

std::string name(const Node& node) {
  return std::string(node.layer().empty() ? node.op() : node.layer());
}

Product& product_in(Op& op) {
  if (auto* conv = std::get_if<Conv2d>(&op.what)) return *conv;
  return std::get<Linear>(op.what);
}

void fold(Group& group, const Graph& graph, double output_scale, double output_zero) {
  Product& product = product_in(group.op);
  const double x_scale = graph.value(group.op.inputs[0]).scale;
  for (std::size_t c = 0; c < group.gain.size(); ++c) {
    const double scale = product.weight.scale[product.weight.scale.size() == 1 ? 0 : c];
    product.multiplier.push_back(
        static_cast<float>(x_scale * scale * group.gain[c] / output_scale));
    product.offset.push_back(static_cast<float>(group.shift[c] / output_scale + output_zero));
  }
}

// quantize(clip(y)) = clip(quantize(y)): rounding keeps the order.
void narrow(const Group& group, Value& value) {
  const auto code = [&](double end) {
    return quant::quantize(static_cast<float>(end), value.scale, value.zero, value.grid);
  };
  if (std::isfinite(group.low)) value.grid.lo = code(group.low);
  if (std::isfinite(group.high)) value.grid.hi = code(group.high);
}

}  // namespace

Group product_group(const Node& node, int x, const Weight& w) {
  Group group{.op = {name(node), {x}, {}, {}}, .product = true, .gain = {}, .shift = {}};
  if (node.op() == "conv2d") {
    const Attributes attributes = node.attributes();
    Conv2d conv;
    conv.weight = w;
    conv.stride = attributes.get<Index>("stride");
    conv.padding = attributes.get<Index>("padding");
    conv.dilation = attributes.get<Index>("dilation");
    conv.groups = attributes.get<Index>("groups");
    group.op.what = std::move(conv);
  } else {
    group.op.what = Linear{{w, {}, {}}};
  }
  const Tensor& bias = node.inputs()[2].value();
  for (Index c = 0; c < w.shape[0]; ++c) {
    group.gain.push_back(1);
    group.shift.push_back(bias ? static_cast<double>(bias[c]) : 0);
  }
  return group;
}

Group sum_group(const Node& node, int x1, int x2) {
  return {.op = {name(node), {x1, x2}, Add{}, {}}, .gain = {}, .shift = {}};
}

Group average_group(const Node& node, int x, const Shape& x_shape) {
  AvgPool2d pool{.height = x_shape[1], .width = x_shape[2], .stride = 1};
  if (node.op() == "avg_pool2d") {
    const Attributes attributes = node.attributes();
    pool.height = pool.width = attributes.get<Index>("kernel");
    pool.stride = attributes.get<Index>("stride");
    pool.padding = attributes.get<Index>("padding");
  }
  return {.op = {name(node), {x}, pool, {}}, .gain = {}, .shift = {}};
}

Group normalised(Group group, const Node& batch_norm) {
  const Attributes attributes = batch_norm.attributes();
  check(attributes.get<Index>("batch_statistics") == 0, "[lower] batch_norm in layer \"",
        batch_norm.layer(), "\" uses the batch's statistics; expected evaluation mode");
  const Tensor &mean = attributes.get<Tensor>("mean"),
               &variance = attributes.get<Tensor>("variance");
  const Tensor &gamma = batch_norm.inputs()[1].value(), &beta = batch_norm.inputs()[2].value();
  const double epsilon = attributes.get<double>("epsilon");
  for (std::size_t c = 0; c < group.gain.size(); ++c) {
    const auto i = static_cast<Index>(c);
    const double g = gamma[i] / std::sqrt(variance[i] + epsilon);
    group.gain[c] *= g;
    group.shift[c] = group.shift[c] * g + beta[i] - mean[i] * g;
  }
  return group;
}

Group activated(Group group, double low, double high) {
  group.activated = true;
  group.low = std::clamp(group.low, low, high);
  group.high = std::clamp(group.high, low, high);
  return group;
}

Op quantized(Group group, const Graph& graph, Value value) {
  const auto x_scale = [&](std::size_t i) {
    return static_cast<double>(graph.value(group.op.inputs[i]).scale);
  };
  const double scale = value.scale;
  const auto zero = static_cast<float>(value.zero);
  if (group.product) {
    fold(group, graph, scale, value.zero);
  } else if (auto* add = std::get_if<Add>(&group.op.what)) {
    *add = {static_cast<float>(x_scale(0) / scale), static_cast<float>(x_scale(1) / scale), zero};
  } else {
    auto& pool = std::get<AvgPool2d>(group.op.what);
    const auto count = static_cast<double>(pool.height * pool.width);
    pool.multiplier = static_cast<float>(x_scale(0) / (count * scale));
    pool.offset = zero;
  }
  narrow(group, value);
  group.op.output = value;
  return std::move(group.op);
}

Op unquantized(Group group, const Graph& graph) {
  fold(group, graph, 1, 0);
  group.op.output = {.shape = {}, .width = Value::accumulator_width};
  return std::move(group.op);
}

}  // namespace fraqat::deploy
