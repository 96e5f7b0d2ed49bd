#include "tests/deploy/random_graph.hpp"

namespace fraqat::test {
namespace {

using namespace deploy;

using quant::Coding;

Value random_codes(Dice& dice, Stored stored) {
  Value value;
  value.width =
      stored == Stored::levels ? random_levels(dice) : Width(static_cast<int>(dice.whole(2, 8)));
  value.grid = value.width.grid(dice.whole(0, 2) ? Coding::natural : Coding::twos);
  value.scale = dice.real(0.01f, 0.1f);
  if (dice.whole(0, 1))
    value.zero = static_cast<std::int32_t>(dice.whole(value.grid.lo, value.grid.hi));
  return value;
}

class Builder {
 public:
  Builder(std::uint32_t seed, Stored stored) : dice_(seed), stored_(stored) {
    graph_.input = codes();
    graph_.input.shape = {dice_.whole(5, 9), dice_.whole(4, 10), dice_.whole(1, 4)};
  }

  Graph build() {
    conv();
    for (Index n = dice_.whole(2, 6); n > 0; --n) step();
    flatten();
    if (dice_.whole(0, 1)) linear(dice_.whole(1, 19));
    linear(dice_.whole(2, 10), true);
    check_complete(graph_);
    return graph_;
  }

 private:
  const Value& top() const { return graph_.value(newest()); }
  Value codes() { return random_codes(dice_, stored_); }
  int newest() const { return static_cast<int>(graph_.ops.size()); }

  template <class What>
  void push(What what, std::vector<int> inputs) {
    append(graph_,
           {"layer" + std::to_string(newest()), std::move(inputs), std::move(what), codes()});
  }

  void step() {
    const Shape x = top().shape;
    switch (dice_.whole(0, 6)) {
      case 0:
      case 1:
        return conv();
      case 2: {
        const Index kernel = dice_.whole(1, std::min<Index>(3, std::min(x[0], x[1])));
        return push(MaxPool2d{kernel, dice_.whole(1, 2), dice_.whole(0, kernel - 1)}, {newest()});
      }
      case 3:
        return average();
      case 4:
        return add();
      case 5: {
        const std::int32_t low = std::max(top().grid.lo, top().zero);
        return push(Clamp{low, std::max(low, top().grid.hi - 1)}, {newest()});
      }
      default:
        return push(PadChannels{dice_.whole(0, 2), dice_.whole(0, 2)}, {newest()});
    }
  }

  void conv() {
    const Shape x = top().shape;
    Conv2d c;
    c.groups = dice_.whole(0, 3) == 0 ? x[2] : x[2] % 2 == 0 && dice_.whole(0, 1) ? 2 : 1;
    c.stride = dice_.whole(1, 2);
    c.padding = dice_.whole(0, 2);
    c.dilation = dice_.whole(1, 2);
    const Index room = (std::min(x[0], x[1]) + 2 * c.padding - 1) / c.dilation + 1;
    const Index R = dice_.whole(1, std::min<Index>(room, 5)),
                S = dice_.whole(1, std::min<Index>(room, 3));
    fill(c, {c.groups * dice_.whole(1, 4), R, S, x[2] / c.groups});
    push(std::move(c), codes());
  }

  void linear(Index out, bool last = false) {
    Linear l;
    fill(l, {out, top().shape[0]});
    push(std::move(l), last ? Value{.shape = {}, .width = Value::accumulator_width} : codes());
  }

  void flatten() {
    if (top().shape.rank() != 1) push(Reshape{{top().shape.size()}}, {newest()});
  }

  void average() {
    const Shape x = top().shape;
    AvgPool2d p;
    const bool global = dice_.whole(0, 2) == 0;
    p.height = global ? x[0] : dice_.whole(1, std::min<Index>(3, std::min(x[0], x[1])));
    p.width = global ? x[1] : p.height;
    p.stride = dice_.whole(1, 2);
    p.padding = global ? 0 : dice_.whole(0, p.height - 1);
    p.multiplier = dice_.real(0.2f, 2) / static_cast<float>(p.height * p.width);
    p.offset = dice_.real(-3, 9);
    push(p, {newest()});
  }

  void add() {
    for (int other = newest() - 1; other >= 0; --other)
      if (graph_.value(other).shape == top().shape)
        return push(
            Add{dice_.real(-0.2f, 1), dice_.real(-0.2f, 1), dice_.real(-2, 8)},
            dice_.whole(0, 1) ? std::vector{newest(), other} : std::vector{other, newest()});
    push(Add{dice_.real(0, 1), 0.25f, dice_.real(-2, 8)}, {newest(), newest()});
  }

  void fill(Product& p, const Shape& shape) {
    Weight& w = p.weight;
    w.shape = shape;
    widths(w);
    const Index length = shape.size() / static_cast<Index>(w.grid.size());
    for (const Grid& grid : w.grid)
      for (Index i = 0; i < length; ++i)
        w.codes.push_back(
            static_cast<std::int8_t>(grid.lo + grid.step * dice_.whole(0, grid.count() - 1)));
    const bool per_channel = dice_.whole(0, 1);
    for (Index o = 0; o < shape[0]; ++o) {
      if (o == 0 || per_channel) w.scale.push_back(dice_.real(0.001f, 0.1f));
      p.multiplier.push_back(dice_.whole(0, 9) == 0 ? 0 : dice_.real(-1, 1));
      p.offset.push_back(dice_.real(-20, 20));
    }
  }

  void widths(Weight& w) {
    w.width.clear();
    w.grid.clear();
    const Index count = stored_ == Stored::channels ? w.shape[0] : 1;
    for (Index o = 0; o < count; ++o) {
      const Width width = stored_ == Stored::levels
                              ? random_levels(dice_)
                              : Width(static_cast<int>(dice_.whole(count > 1 ? 1 : 2, 8)));
      const bool odd = width.whole() || width.levels() % 2;
      w.width.push_back(width);
      w.grid.push_back(width.grid(odd ? Coding::symmetric : Coding::twos));
    }
  }

  // Multipliers that spread the accumulators over the output's grid.
  template <class What>
  void push(What product, const Value& output) {
    Op op{"layer" + std::to_string(newest()), {newest()}, product, output};
    const auto bounds = accumulator_bounds(graph_, op);
    auto& multiplier = std::get<What>(op.what).multiplier;
    for (std::size_t o = 0; o < bounds.size(); ++o)
      multiplier[o] *= 3 * static_cast<float>(output.grid.hi + 1) /
                       static_cast<float>(std::max<std::int64_t>(1, bounds[o]));
    append(graph_, std::move(op));
  }

  Dice dice_;
  Stored stored_;
  Graph graph_;
};

}  // namespace

Width random_levels(Dice& dice) {
  for (;;) {
    const Width width = Width::of_levels(static_cast<int>(dice.whole(3, 255)));
    if (!width.whole()) return width;
  }
}

Graph random_graph(std::uint32_t seed, Stored stored) { return Builder(seed, stored).build(); }

Tensor random_images(const Graph& graph, Index count, std::uint32_t seed) {
  const Value& input = graph.input;
  const Shape& x = input.shape;
  Tensor images(x.rank() == 1 ? Shape{count, x[0]} : Shape{count, x[0], x[1], x[2]});
  Dice dice(seed);
  const auto low = static_cast<float>(input.grid.lo - input.zero - 2) * input.scale;
  const auto high = static_cast<float>(input.grid.hi - input.zero + 2) * input.scale;
  for (float& value : images.span()) value = dice.real(low, high);
  return images;
}

Graph linear_graph(Index in, Index out, std::vector<std::int8_t> codes) {
  Graph graph;
  graph.input = {.shape = {in}, .width = 8, .grid = {0, 255}, .scale = 1, .zero = 0};
  Linear linear;
  linear.weight = {.shape = {out, in},
                   .width = {8},
                   .grid = {quant::grid_of(Coding::symmetric, 8)},
                   .codes = std::move(codes),
                   .scale = {1}};
  linear.multiplier.assign(static_cast<std::size_t>(out), 1);
  linear.offset.assign(static_cast<std::size_t>(out), 0);
  append(graph, {"fc", {0}, std::move(linear), {.shape = {}, .width = Value::accumulator_width}});
  return graph;
}

}  // namespace fraqat::test
