#include "quant/deploy/tape_codes.hpp"

#include <algorithm>

namespace fraqat::deploy {
namespace {

bool has_width_of_each_row(const Node& node) {
  return node.op() == "fake_quant" && node.inputs()[1].value().rank() == 2;
}

Width width_on_tape(const Node& node, const Attributes& attributes) {
  const bool levels = node.op() == "level_quant";
  const auto number = static_cast<int>(attributes.get<Index>(levels ? "levels" : "bits"));
  return levels ? Width::of_levels(number) : Width(number);
}

}  // namespace

TapeCodes::TapeCodes(const Node& node) {
  const Attributes attributes = node.attributes();
  scale = attributes.get<Tensor>("scale");
  zero = attributes.get<Tensor>("zero");
  if (has_width_of_each_row(node)) {
    const auto number = [&](std::string_view name, Index row) {
      return static_cast<std::int32_t>(attributes.get<Tensor>(name)[row]);
    };
    for (Index row = 0; row < scale.size(); ++row) {
      width.emplace_back(number("bits", row));
      grid.push_back({number("lo", row), number("hi", row), number("step", row)});
    }
    return;
  }
  width = {width_on_tape(node, attributes)};
  const auto number = [&](std::string_view name) {
    return static_cast<std::int32_t>(attributes.get<Index>(name));
  };
  grid = {{number("lo"), number("hi"), number("step")}};
}

bool is_quantizer(const Node& node) {
  return node.op() == "fake_quant" || node.op() == "level_quant";
}

Weight weight_of(const Var& x, const TapeCodes& codes) {
  Weight w{x.shape(), codes.width, codes.grid, {}, {}};
  const Tensor& numbers = x.value();
  const Index rows = std::max<Index>(codes.scale.size(), static_cast<Index>(codes.width.size()));
  const Index length = numbers.size() / rows;
  for (const float scale : codes.scale.span()) w.scale.push_back(scale);
  for (Index r = 0; r < rows; ++r) {
    const float scale = w.scale[w.scale.size() == 1 ? 0 : static_cast<std::size_t>(r)];
    const Grid& grid = w.grid[w.grid.size() == 1 ? 0 : static_cast<std::size_t>(r)];
    for (Index i = r * length; i < (r + 1) * length; ++i)
      w.codes.push_back(static_cast<std::int8_t>(quant::quantize(numbers[i], scale, 0, grid)));
  }
  return w;
}

}  // namespace fraqat::deploy
