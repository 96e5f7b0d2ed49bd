// Level counts and widths of single channels, from the tape to the counts of the graph.

#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "quant/deploy/lower.hpp"
#include "tests/deploy/quantized_model.hpp"
#include "tests/deploy/random_graph.hpp"

namespace fraqat::lower_widths_test {

using namespace fraqat::deploy;
using fraqat::test::Stored;

namespace {

/// Bits of a weight by definition: a double, exact for whole ones.
double bits_of_product(const Graph& graph, const Op& op) {
  const Product& product = *product_of(op);
  double bits = 0;
  for (const Width& width : product.weight.width)
    bits += static_cast<double>(products_per_sample(op)) /
            static_cast<double>(product.weight.width.size()) * width.bits() *
            graph.value(op.inputs[0]).width.bits();
  return bits;
}

}  // namespace

TEST_CASE("lowering level counts and channels: widths are the quantizers'") {
  for (const auto& [name, stored] : {std::pair{"lenet5-bn", Stored::levels},
                                     {"tiny-resnet", Stored::levels},
                                     {"lenet5-bn", Stored::channels},
                                     {"tiny-resnet", Stored::channels}}) {
    const auto model = test::quantized_model(name, true, {28, 28, 1}, stored);
    const Graph graph = lower(*model, test::model_images(1, 1));
    std::map<std::string, const quant::Quantizer*> weights;
    std::vector<const quant::Quantizer*> activations;
    Index bytes = 0, levels = 0, channels = 0;
    for (const quant::Quantizer* q : quant::quantizers(*model)) {
      const auto& info = q->info();
      levels += !q->hard_width().whole();
      channels += q->width_count() > 1;
      if (info.role == quant::Role::activation) activations.push_back(q);
      if (info.role != quant::Role::weight) continue;
      weights[info.name] = q;
      bytes += q->bytes() + 4 * info.rows + 8 * info.channels;
    }
    CHECK((stored == Stored::levels ? levels : channels) > 3);
    CHECK(data_bytes(graph) == bytes);
    std::size_t next = 0;
    for (const Op& op : graph.ops) {
      if (const Product* product = product_of(op)) {
        const quant::Quantizer& q = *weights.at(op.layer + ".weight_q");
        REQUIRE(std::ssize(product->weight.width) == q.width_count());
        for (std::size_t row = 0; row < product->weight.width.size(); ++row) {
          const Width width = q.hard_width(static_cast<Index>(row));
          CHECK(product->weight.width[row] == width);
          CHECK(product->weight.grid[row] == width.grid(quant::Coding::symmetric));
        }
      }
      if (acts_on_codes(op) || op.output.accumulators()) continue;
      CHECK(op.output.width == activations.at(next)->hard_width());
      CHECK(op.output.grid.count() <= op.output.width.most_codes());
      ++next;
    }
    CHECK(next == activations.size());
  }
}

TEST_CASE("counts: bit operations of each product are exact, and rounded up") {
  for (const Stored stored : test::every_storage)
    for (std::uint32_t seed = 1; seed <= 60; ++seed) {
      const Graph graph = test::random_graph(seed, stored);
      double expected = 0, data = 0;
      for (const Op& op : graph.ops) {
        const Product* product = product_of(op);
        if (!product) continue;
        expected += std::ceil(bits_of_product(graph, op) * (1 - 1e-14));
        double bits = 0;
        for (const Width& width : product->weight.width) bits += width.bits();
        data += std::ceil(bits / 8 * static_cast<double>(product->weight.shape.size()) /
                          static_cast<double>(product->weight.width.size()));
      }
      CHECK(static_cast<double>(bit_operations(graph)) == expected);
      if (stored != Stored::levels)
        for (const Op& op : graph.ops)
          if (const Product* p = product_of(op))
            data += 4.0 * static_cast<double>(2 * p->multiplier.size() + p->weight.scale.size());
      if (stored != Stored::levels) CHECK(static_cast<double>(data_bytes(graph)) == data);
    }
}

TEST_CASE("counts by hand: 6 and 11 levels, and channels of 2 and 5 bits") {
  // 36 products: 36 * 8/3 bits * 8 = 768.  18 products read 11 levels in 32/9 bits: 9 * (2 + 5)
  // * 32/9 = 224.  At once: 16 bytes and 9 codes of 11 levels, 4; then 4 and 8.
  Graph graph;
  graph.input = {.shape = {4, 4, 1}, .width = 8, .grid = {0, 255}};
  Conv2d conv;
  conv.weight = {{1, 2, 2, 1}, {Width::of_levels(6)}, {{-3, 2}}, {-3, 2, -2, 1}, {1}};
  conv.multiplier = conv.offset = {1};
  const Value codes{.shape = {}, .width = Width::of_levels(11), .grid = {0, 10}};
  append(graph, {"conv", {0}, conv, codes});
  append(graph, {"flat", {1}, Reshape{{9}}, {}});
  Linear linear;
  linear.weight = {{2, 9}, {2, 5}, {{-1, 1}, {-15, 15}}, std::vector<std::int8_t>(18, 1), {1}};
  linear.weight.codes.back() = -15;
  linear.multiplier = linear.offset = {1, 1};
  append(graph, {"fc", {2}, linear, {.shape = {}, .width = Value::accumulator_width}});
  CHECK(bit_operations(graph) == 768 + 224);
  CHECK(peak_activation_bytes(graph) == 20);
  CHECK(data_bytes(graph) == 2 + 3 * 4 + 8 + 5 * 4);
  CHECK(accumulator_bounds(graph, graph.ops[2]) == std::vector<std::int64_t>{90, 230});
}

TEST_CASE("graphs refuse widths that do not belong together") {
  const auto refusal = [](std::vector<Width> widths, std::vector<Grid> grids) -> std::string {
    Graph graph;
    graph.input = {.shape = {3}, .width = 8, .grid = {0, 255}};
    Linear linear;
    linear.weight = {{2, 3}, std::move(widths), std::move(grids), {1, 1, 1, 1, 1, 1}, {1}};
    linear.multiplier = linear.offset = {1, 1};
    try {
      append(graph, {"fc", {0}, linear, {.shape = {}, .width = Value::accumulator_width}});
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const auto says = [&](std::vector<Width> widths, std::vector<Grid> grids, std::string_view part) {
    const std::string text = refusal(std::move(widths), std::move(grids));
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
  };
  const Grid ternary{-1, 1};
  CHECK(refusal({2, 3}, {ternary, {-3, 3}}) == "");
  CHECK(refusal({Width::of_levels(3)}, {ternary}) == "");
  says({2, Width::of_levels(3)}, {ternary, ternary}, "channel 1 has 3 levels");
  says({2, 2, 2}, {ternary, ternary, ternary}, "wrong number of widths or grids: got 3 and 3");
  says({2, 2}, {ternary}, "wrong number of widths or grids: got 2 and 1");
  says({2, 3}, {ternary, {-2, 2}}, "channel 1 has codes of its own: got -2 to 2");
  says({2, 9}, {ternary, {-3, 3}}, "bit-width out of range: got 9");
  says({Width::of_levels(3)}, {{-1, 2}}, "codes do not fit: got -1 to 2 in 3 levels");
  says({Width::of_levels(3)}, {{-1, 1, 2}}, "codes do not fit");
}

}  // namespace fraqat::lower_widths_test
