#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/ops.hpp"
#include "quant/deploy/graph.hpp"

namespace fraqat::deploy {
namespace {

constexpr Index max_extent = Index{1} << 24;
constexpr Index max_elements = Index{1} << 28;
constexpr Index max_in_window = Index{1} << 24;
constexpr Index max_in_all = Index{1} << 26;  // of all ops, for one image

/// Proves one op, and what its output is.
class Check {
 public:
  Check(const Graph& graph, const Op& op) : graph_(graph), op_(op) {}

  Value output() const {
    edges();
    const Shape shape = std::visit([this](const auto& what) { return shape_of(what); }, op_.what);
    Value value = op_.output;
    if (acts_on_codes(op_)) {
      value = in(0);
      if (const auto* clamp = std::get_if<Clamp>(&op_.what)) value.grid = {clamp->low, clamp->high};
    }
    value.shape = shape;
    if (value.accumulators()) {
      require(product_of(op_),
              "output is no codes: only a conv2d or linear may leave accumulators");
      value = {.shape = shape, .width = Value::accumulator_width};
      size(shape);
    } else {
      codes(value);
    }
    return value;
  }

  void image() const { codes(graph_.input); }

  void bounds() const {
    for (const std::int64_t bound : accumulator_bounds(graph_, op_))
      require(bound < std::int64_t{1} << 31, "accumulators may overflow: got a bound of ", bound,
              "; expected less than 2^31; try fewer bits or fewer inputs");
  }

 private:
  // A value that holds codes.
  void codes(const Value& value) const {
    size(value.shape);
    require(!value.width.whole() || value.width.whole_bits() >= quant::min_bits,
            "bit-width out of range: got ", value.width.text(), "; expected ", quant::min_bits,
            " to ", quant::max_bits);
    grid(value.grid, value.width);
    require(std::isfinite(value.scale) && value.scale >= std::numeric_limits<float>::min(),
            "scale out of range: got ", value.scale, "; expected a positive, normal number");
    require(value.zero >= value.grid.lo && value.zero <= value.grid.hi,
            "zero-point out of range: got ", value.zero, "; expected a code from ", value.grid.lo,
            " to ", value.grid.hi);
  }

  Index extent(Index n) const {
    require(n >= 1 && n <= max_extent, "extent out of range: got ", n, "; expected 1 to ",
            max_extent);
    return n;
  }

  void size(const Shape& shape) const {
    Index elements = 1;
    for (const Index n : shape.dims()) {
      elements *= extent(n);
      require(elements <= max_elements, "too many elements: got ", shape, "; expected at most ",
              max_elements);
    }
  }

  template <class... Parts>
  void require(bool condition, const Parts&... parts) const {
    check(condition, "[graph] ops[", graph_.ops.size(), "] (", name_of(op_), " \"", op_.layer,
          "\"): ", parts...);
  }

  const Value& in(std::size_t i) const { return graph_.value(op_.inputs[i]); }
  void edges() const {
    const std::size_t wanted = std::holds_alternative<Add>(op_.what) ? 2 : 1;
    require(op_.inputs.size() == wanted, "wrong number of inputs: got ", op_.inputs.size(),
            "; expected ", wanted);
    const std::size_t newest = graph_.ops.size();
    for (const int i : op_.inputs) {
      require(i >= 0 && static_cast<std::size_t>(i) <= newest, "no such input: got value ", i,
              "; expected 0 to ", newest, ", a value made before");
      require(!graph_.value(i).accumulators(), "input without codes: got value ", i,
              ", which holds accumulators");
    }
  }

  void grid(const Grid& grid, const Width& width) const {
    require(width.whole_bits() >= quant::binary_bits && width.whole_bits() <= quant::max_bits,
            "bit-width out of range: got ", width.text(), "; expected ", quant::binary_bits, " to ",
            quant::max_bits);
    require(grid.lo >= -128 && grid.hi <= 255 && grid.lo <= grid.hi &&
                grid.count() <= width.most_codes() &&
                (grid.step == 1 || grid == width.grid(quant::Coding::symmetric)),
            "codes do not fit: got ", grid.lo, " to ", grid.hi, " in ", width.text(),
            width.whole() ? " bits" : "");
  }

  // One width and grid, or one for each channel.
  void widths(const Weight& w) const {
    const auto channels = static_cast<std::size_t>(w.shape[0]);
    require((w.width.size() == 1 || w.width.size() == channels) && w.grid.size() == w.width.size(),
            "wrong number of widths or grids: got ", w.width.size(), " and ", w.grid.size(),
            "; expected 1 or ", channels, " each");
    for (std::size_t o = 0; o < w.width.size(); ++o) {
      require(w.width.size() == 1 || w.width[o].whole(), "channel ", o, " has ", w.width[o].text(),
              ": got one of several widths; expected whole bits for each channel, or the same "
              "number of levels for all");
      grid(w.grid[o], w.width[o]);
      require(w.width.size() == 1 || w.grid[o] == w.width[o].grid(quant::Coding::symmetric),
              "channel ", o, " has codes of its own: got ", w.grid[o].lo, " to ", w.grid[o].hi,
              "; expected the symmetric ones of ", w.width[o].text(), " bits");
      require(w.grid[o].hi <= 127, "weights do not fit into 8 bits: got codes up to ",
              w.grid[o].hi);
    }
  }

  void rank(std::size_t i, int wanted) const {
    require(in(i).shape.rank() == wanted, "wrong rank: got an input of ", in(i).shape,
            " per sample; expected ", wanted, " dimensions");
  }

  void finite(const std::vector<float>& numbers, std::string_view what) const {
    for (const float x : numbers) require(std::isfinite(x), what, " is not finite: got ", x);
  }

  void product(const Product& p) const {
    const Weight& w = p.weight;
    size(w.shape);
    widths(w);
    const auto count = static_cast<std::size_t>(w.shape.size());
    const auto channels = static_cast<std::size_t>(w.shape[0]);
    require(w.codes.size() == count, "wrong number of weights: got ", w.codes.size(), "; expected ",
            count, " for ", w.shape);
    for (std::size_t i = 0; i < count; ++i) {
      const Grid& grid = w.grid[i / (count / w.grid.size())];
      require(
          w.codes[i] >= grid.lo && w.codes[i] <= grid.hi && (w.codes[i] - grid.lo) % grid.step == 0,
          "weight ", i, " is off its grid: got code ", int{w.codes[i]}, "; expected ", grid.lo,
          " to ", grid.hi);
    }
    require(w.scale.size() == 1 || w.scale.size() == channels,
            "wrong number of weight scales: got ", w.scale.size(), "; expected 1 or ", channels);
    for (const float s : w.scale)
      require(std::isfinite(s) && s >= std::numeric_limits<float>::min(),
              "weight scale out of range: got ", s, "; expected a positive, normal number");
    require(p.multiplier.size() == channels && p.offset.size() == channels,
            "wrong number of multipliers or offsets: got ", p.multiplier.size(), " and ",
            p.offset.size(), "; expected ", channels, " each");
    finite(p.multiplier, "multiplier");
    finite(p.offset, "offset");
  }

  // Positions of a window of `extent` pixels along an axis of `size`.
  Index positions(Index size, Index window, Index stride, Index padding) const {
    require(stride >= 1 && stride <= op::max_window && padding >= 0 && padding <= op::max_window,
            "impossible window: got stride ", stride, " and padding ", padding);
    const Index room = size + 2 * padding - window;
    require(room >= 0, "window larger than the image: got ", window, " over ", size,
            " with padding ", padding);
    return extent(room / stride + 1);
  }

  Shape shape_of(const Conv2d& c) const {
    product(c);
    rank(0, 3);
    const Shape &x = in(0).shape, &w = c.weight.shape;
    require(w.rank() == 4 && c.groups >= 1 && c.groups <= max_extent && w[3] * c.groups == x[2] &&
                w[0] % c.groups == 0,
            "channels do not fit: got x ", x, ", weight ", w, ", groups ", c.groups);
    require(c.dilation >= 1 && c.dilation <= op::max_window, "impossible dilation: got ",
            c.dilation);
    return {positions(x[0], c.dilation * (w[1] - 1) + 1, c.stride, c.padding),
            positions(x[1], c.dilation * (w[2] - 1) + 1, c.stride, c.padding), w[0]};
  }

  Shape shape_of(const Linear& l) const {
    product(l);
    rank(0, 1);
    require(l.weight.shape.rank() == 2 && l.weight.shape[1] == in(0).shape[0],
            "inner sizes differ: got x ", in(0).shape, " and weight ", l.weight.shape);
    return {l.weight.shape[0]};
  }

  Shape shape_of(const Add& a) const {
    require(in(0).shape == in(1).shape, "shapes differ: got ", in(0).shape, " and ", in(1).shape);
    finite({a.first, a.second, a.offset}, "constant");
    return in(0).shape;
  }

  Shape shape_of(const AvgPool2d& p) const {
    finite({p.multiplier, p.offset}, "constant");
    return pooled(p.height, p.width, p.stride, p.padding);
  }

  Shape shape_of(const MaxPool2d& p) const {
    return pooled(p.kernel, p.kernel, p.stride, p.padding);
  }

  Shape pooled(Index height, Index width, Index stride, Index padding) const {
    rank(0, 3);
    const Shape& x = in(0).shape;
    require(height >= 1 && height <= op::max_window && width >= 1 && width <= op::max_window &&
                padding < std::min(height, width) && height * width <= max_in_window / x[2],
            "impossible window: got ", height, " x ", width, " with padding ", padding, " over ",
            x);
    return {positions(x[0], height, stride, padding), positions(x[1], width, stride, padding),
            x[2]};
  }

  Shape shape_of(const Clamp& c) const {
    require(c.low <= c.high && c.low >= in(0).grid.lo && c.high <= in(0).grid.hi,
            "interval off the grid: got ", c.low, " to ", c.high, "; expected codes from ",
            in(0).grid.lo, " to ", in(0).grid.hi);
    return in(0).shape;
  }

  Shape shape_of(const PadChannels& p) const {
    const Shape& x = in(0).shape;
    require(x.rank() >= 1 && p.before >= 0 && p.before <= max_extent && p.after >= 0 &&
                p.after <= max_extent,
            "impossible padding: got ", p.before, " and ", p.after, " around ", x);
    std::vector<Index> dims(x.dims().begin(), x.dims().end());
    dims.back() = extent(dims.back() + p.before + p.after);
    return Shape(dims);
  }

  Shape shape_of(const Reshape& r) const {
    size(r.shape);
    require(r.shape.size() == in(0).shape.size(), "sizes differ: got ", in(0).shape, " and ",
            r.shape);
    return r.shape;
  }

  const Graph& graph_;
  const Op& op_;
};

}  // namespace

void append(Graph& graph, Op op) {
  const Check proof(graph, op);
  if (graph.ops.empty()) proof.image();
  op.output = proof.output();
  proof.bounds();
  Index elements = graph.input.shape.size() + op.output.shape.size();
  for (const Op& before : graph.ops) elements += before.output.shape.size();
  check(elements <= max_in_all, "[graph] too many numbers for one image: got ", elements, " up to ",
        name_of(op), "; expected at most ", max_in_all);
  graph.ops.push_back(std::move(op));
}

void check_complete(const Graph& graph) {
  check(!graph.ops.empty(), "[graph] no ops: got 0; expected 1 or more");
  const Op& last = graph.ops.back();
  check(last.output.accumulators(), "[graph] wrong last op: got ", name_of(last),
        " that leaves codes; expected a conv2d or linear that leaves accumulators");
}

}  // namespace fraqat::deploy
