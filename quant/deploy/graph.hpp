#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/shape.hpp"
#include "quant/width.hpp"

/// The integer side: a network as integer ops only.  lower() reads it off the
/// tape, evaluate() and Engine run it, the packed file stores it.
namespace fraqat::deploy {

using quant::Grid;
using quant::Width;

/// A tensor of codes; the code q on `grid` stands for scale (q - zero).
struct Value {
  Shape shape;  // of one sample: axis 0, the batch, is left out
  Width width = 8;
  Grid grid = {};
  float scale = 1;
  std::int32_t zero = 0;

  /// The output of the last op is no codes but accumulators: then this is all
  /// that is said of it, and its shape.
  static constexpr Width accumulator_width = 32;
  bool accumulators() const { return width == accumulator_width; }

  /// Largest |q - zero|.
  std::int64_t reach() const;

  bool operator==(const Value&) const = default;
};

/// Whole-number weights [O, ...], code w standing for scale[o] w (or scale[0] w).  They have one
/// width, or one for each output channel: whole bits then, and the symmetric grids of these.
struct Weight {
  Shape shape;
  std::vector<Width> width = {8};
  std::vector<Grid> grid = {Grid{}};  // of each width
  std::vector<std::int8_t> codes;
  std::vector<float> scale;

  /// Of the codes in a packed file.
  Index bytes() const;

  /// The mean width of a code.
  double bits() const;

  bool operator==(const Weight&) const = default;
};

/// The sums of products end in requantize(acc, multiplier[o], offset[o], grid):
/// batch norm, bias and the zero-point behind are folded into these two numbers.
struct Product {
  Weight weight;
  std::vector<float> multiplier, offset;

  bool operator==(const Product&) const = default;
};

/// x[H, W, C], weight[O, R, S, C / groups]; the padding stands for 0, that is,
/// for the code zero.
struct Conv2d : Product {
  Index stride = 1, padding = 0, dilation = 1, groups = 1;
  bool operator==(const Conv2d&) const = default;
};

/// x[in], weight[out, in].
struct Linear : Product {
  bool operator==(const Linear&) const = default;
};

/// requantize_sum of both inputs, less their zero-points.
struct Add {
  float first = 1, second = 1, offset = 0;
  bool operator==(const Add&) const = default;
};

/// The sum of each window, less the zero-points, requantized; the padding adds 0.
struct AvgPool2d {
  Index height = 2, width = 2, stride = 2, padding = 0;
  float multiplier = 1, offset = 0;
  bool operator==(const AvgPool2d&) const = default;
};

/// The ops below act on codes: their output has the input's scale and zero.
struct MaxPool2d {
  Index kernel = 2, stride = 2, padding = 0;
  bool operator==(const MaxPool2d&) const = default;
};

/// min(max(q, low), high).
struct Clamp {
  std::int32_t low = 0, high = 0;
  bool operator==(const Clamp&) const = default;
};

/// Channels that stand for 0, before and after the input's.
struct PadChannels {
  Index before = 0, after = 0;
  bool operator==(const PadChannels&) const = default;
};

struct Reshape {
  Shape shape;
  bool operator==(const Reshape&) const = default;
};

/// One op: values in, one value out.  Op i makes value i + 1; value 0 is the
/// image.  Inputs are numbered below the output, so a graph has no cycle.
struct Op {
  std::string layer;
  std::vector<int> inputs;
  std::variant<Conv2d, Linear, Add, AvgPool2d, MaxPool2d, Clamp, PadChannels, Reshape> what;
  Value output;

  bool operator==(const Op&) const = default;
};

struct Graph {
  Value input;
  std::vector<Op> ops;  // in order of execution; the last one is a conv2d or linear

  const Value& value(int i) const {
    return i == 0 ? input : ops[static_cast<std::size_t>(i) - 1].output;
  }

  bool operator==(const Graph&) const = default;
};

/// "conv2d": the op's name on the tape and in files.
std::string_view name_of(const Op& op);

/// The weights and multipliers of a conv2d or linear; nullptr for other ops.
const Product* product_of(const Op& op);

/// True for max_pool2d, clamp, pad_channels and reshape.
bool acts_on_codes(const Op& op);

/// Adds an op behind the others.  What its output is follows from its inputs
/// (the shape, and for ops on codes everything else); of op.output only the
/// codes of conv2d, linear, add and avg_pool2d are read.  Proves that the op can
/// be run: extents, edges, grids, finite constants, codes on their grid,
/// accumulators below 2^31.  An Error names op and layer.
void append(Graph& graph, Op op);

/// An Error unless the graph ends in accumulators.
void check_complete(const Graph& graph);

/// sum |w[o]| max |q - Z| for every output channel o of a product: no accumulator,
/// nor any part of its sum, is larger.  One number for an average pool, none for
/// other ops.
std::vector<std::int64_t> accumulator_bounds(const Graph& graph, const Op& op);

/// What the numbers of the graph take in a packed file: codes, multipliers,
/// offsets and weight scales.
Index data_bytes(const Op& op);
Index data_bytes(const Graph& graph);

/// Multiplications of one sample.
Index products_per_sample(const Op& op);

/// Sum over all products of multiplications x bits of the weight (of each channel) x bits of
/// the codes: an exact fraction where one has levels, each product then rounded up to a whole
/// number.
Index bit_operations(const Graph& graph);

/// The most bytes that values take at once while a sample is computed, each in whole
/// bytes: what an op reads and writes, and what a later one reads.  A reshape is where
/// its input is; accumulators take 4 bytes each.
Index peak_activation_bytes(const Graph& graph);

}  // namespace fraqat::deploy
