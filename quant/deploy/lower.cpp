#include "quant/deploy/lower.hpp"

#include <cmath>
#include <limits>
#include <sstream>
#include <unordered_map>

#include "quant/deploy/group.hpp"
#include "quant/deploy/tape_codes.hpp"

namespace fraqat::deploy {
namespace {

/// What is known of a variable on the tape: nothing (Unknown), the image before
/// it is quantized, a quantized weight, codes (a value of the graph), or an
/// integer op in the making, which waits for its quantizer.
struct Unknown {};
struct Image {};
struct Meaning {
  std::variant<Unknown, Image, Weight, int, Group> what;
  std::string from;  // 'relu in layer "relu1"'
  bool quantized = false;
};

std::string place(const Node& node) {
  return std::string(node.op()) + " in layer \"" + std::string(node.layer()) + '"';
}

std::string text_of(const Shape& shape) {
  std::ostringstream text;
  text << shape;
  return text.str();
}

Shape without_batch(const Shape& shape) { return Shape(shape.dims().subspan(1)); }

class Lowering {
 public:
  Lowering(const Tape& tape, const Var& image, const Var& output) : batch_(image.shape()[0]) {
    meanings_[image.id()] = {Image{}, "the image"};
    graph_.input.shape = without_batch(image.shape());
    for (const auto& node : tape.nodes()) read(*node);
    finish(output);
  }

  Graph take() { return std::move(graph_); }

 private:
  void read(const Node& node) {
    node_ = &node;
    const std::string_view op = node.op();
    if (is_quantizer(node)) return read_quantizer();
    if (op == "conv2d" || op == "linear") return read_product();
    if (op == "batch_norm") return read_batch_norm();
    if (op == "relu" || op == "relu6" || op == "clip") return read_activation();
    if (op == "add") return become(sum_group(node, codes(0), codes(1)));
    if (op == "avg_pool2d" || op == "global_avg_pool")
      return become(average_group(node, codes(0), node.inputs()[0].shape()));
    if (op == "max_pool2d" || op == "pad_channels" || op == "reshape") return read_op_on_codes();
    error("has no integer form: got an output of " + text_of(node.output().shape()),
          "conv2d, linear, batch_norm, relu, relu6, clip, add, max, average and global pools, "
          "reshape and pad_channels; try these layers, or keep the network in float");
  }

  // --- quantizers -----------------------------------------------------------

  void read_quantizer() {
    const Var& x = node_->inputs()[0];
    Meaning& of = meaning(0);
    const TapeCodes codes(*node_);
    if (std::holds_alternative<Unknown>(of.what)) {
      if (!x.name().empty()) return read_weight(x, codes);
      error("reads " + of.from + ", which is neither a parameter nor made of codes",
            "integer ops only");
    }
    if (of.quantized || std::holds_alternative<Weight>(of.what))
      error("quantizes what has codes already: " + of.from, "one quantizer for each tensor");
    const Value value = activation(codes);
    of.quantized = !std::holds_alternative<int>(of.what);
    if (const int* wide = std::get_if<int>(&of.what))
      requantize(*wide, value);
    else if (const Group* group = std::get_if<Group>(&of.what))
      append(graph_, quantized(*group, graph_, value));
    else
      quantize_image(value);
    // A global average, or an image, that was flattened before its quantizer.
    const Shape shape = without_batch(x.shape());
    if (graph_.value(newest()).shape != shape)
      append(graph_, {name(""), {newest()}, Reshape{shape}, {}});
    become(newest());
  }

  // Codes on another grid: the averages of one pixel each.
  void requantize(int x, const Value& value) {
    const Shape shape = graph_.value(x).shape;
    if (shape.rank() != 3) {
      append(graph_, {name(""), {x}, Reshape{{1, 1, shape.size()}}, {}});
      x = newest();
    }
    append(graph_,
           quantized({.op = {name(""), {x}, AvgPool2d{1, 1, 1}, {}}, .gain = {}, .shift = {}},
                     graph_, value));
  }

  Value activation(const TapeCodes& codes) const {
    if (codes.scale.size() != 1) error("has one scale per channel", "one scale for an activation");
    if (codes.width.size() != 1) error("has one width per channel", "one width for an activation");
    return {.shape = {},
            .width = codes.width[0],
            .grid = codes.grid[0],
            .scale = codes.scale.item(),
            .zero = static_cast<std::int32_t>(codes.zero.item())};
  }

  void read_weight(const Var& x, const TapeCodes& codes) {
    for (const float zero : codes.zero.span())
      if (zero != 0) error("gives a weight a zero-point", "a symmetric range");
    become(weight_of(x, codes));
  }

  void quantize_image(const Value& value) {
    const Shape shape = graph_.input.shape;
    graph_.input = value;
    graph_.input.shape = shape;
  }

  // --- ops --------------------------------------------------------------------

  void read_product() {
    const int x = codes(0);
    const Weight* w = std::get_if<Weight>(&meaning(1).what);
    if (!w) error("has a weight without codes", "a quantizer in its weight_q; try quant::attach");
    const std::string layer = name("");
    for (const Op& op : graph_.ops)
      if (product_of(op) && op.layer == layer)
        error("applies a layer a second time", "one place for each weight");
    become(product_group(*node_, x, *w));
  }

  void read_batch_norm() {
    Group* group = open_group(0);
    if (!group || !group->product || group->activated)
      error("does not follow a conv2d or linear: it reads " + meaning(0).from,
            "batch norm between the product and its activation");
    check_alone(node_->attributes().get<Index>("relu") != 0 || node_->inputs()[3]);
    become(normalised(*group, *node_));
  }

  void read_activation() {
    double low = 0, high = std::numeric_limits<double>::infinity();
    if (node_->op() == "relu6") high = 6;
    if (node_->op() == "clip") {
      const Attributes attributes = node_->attributes();
      low = attributes.get<double>("low");
      high = attributes.get<double>("high");
    }
    if (const Group* group = open_group(0)) return become(activated(*group, low, high));
    const int x = codes(0);
    const Value& value = graph_.value(x);
    push(Clamp{code_of(low, value), code_of(high, value)}, x);
  }

  // An end of a clip on codes, which must be a code itself or beyond the grid.
  std::int32_t code_of(double end, const Value& value) const {
    const double u = end / value.scale + value.zero;
    if (u <= value.grid.lo) return value.grid.lo;
    if (u >= value.grid.hi) return value.grid.hi;
    if (std::abs(u - std::nearbyint(u)) > 1e-3)
      error("clips codes at a number that has no code", "a quantizer behind the clip, not before");
    return static_cast<std::int32_t>(std::nearbyint(u));
  }

  void read_op_on_codes() {
    const Shape& shape = node_->output().shape();
    if (shape.rank() < 2 || shape[0] != batch_)
      error("does not keep the batch in axis 0: got " + text_of(shape) + " from " +
                text_of(node_->inputs()[0].shape()),
            "ops that treat samples alike; try linear of [N, in], not of [N, T, in], which has no "
            "integer form");
    const Attributes attributes = node_->attributes();
    if (node_->op() == "reshape") {
      if (std::holds_alternative<Image>(meaning(0).what)) return become(Image{});
      return push(Reshape{without_batch(shape)}, codes(0));
    }
    if (node_->op() == "pad_channels")
      return push(PadChannels{attributes.get<Index>("before"), attributes.get<Index>("after")},
                  codes(0));
    check_alone(attributes.get<Index>("relu") != 0);
    push(MaxPool2d{attributes.get<Index>("kernel"), attributes.get<Index>("stride"),
                   attributes.get<Index>("padding")},
         codes(0));
  }

  void check_alone(bool fused) const {
    if (fused) error("is one with its neighbour", "ops that stand alone, as modules record them");
  }

  void finish(const Var& output) {
    const Meaning& of = meanings_[output.id()];
    const Group* group = std::get_if<Group>(&of.what);
    check(group && group->product && !group->activated && !of.quantized,
          "[lower] the network does not end in accumulators: got ", of.from,
          "; expected a last conv2d or linear without a quantizer behind");
    append(graph_, unquantized(*group, graph_));
    check_complete(graph_);
  }

  // --- the variables ---------------------------------------------------------

  Meaning& meaning(std::size_t i) {
    Meaning& of = meanings_[node_->inputs()[i].id()];
    if (of.from.empty()) of.from = "parameter \"" + node_->inputs()[i].name() + '"';
    return of;
  }

  template <class What>
  void become(What what) {
    meanings_[node_->output().id()] = {std::move(what), place(*node_)};
  }

  template <class What>
  void push(What what, int input) {
    append(graph_, {name(node_->op()), {input}, std::move(what), {}});
    become(newest());
  }

  Group* open_group(std::size_t i) {
    Meaning& of = meaning(i);
    return of.quantized ? nullptr : std::get_if<Group>(&of.what);
  }

  int codes(std::size_t i) {
    const Meaning& of = meaning(i);
    if (const int* value = std::get_if<int>(&of.what)) return *value;
    error("reads " + of.from + ", which leaves no codes",
          "a quantizer between the two; try quant::attach, and set_mode on");
  }

  int newest() const { return static_cast<int>(graph_.ops.size()); }

  std::string name(std::string_view otherwise) const {
    return std::string(node_->layer().empty() ? otherwise : node_->layer());
  }

  [[noreturn]] void error(const std::string& what, std::string_view expected) const {
    fail(Error::Kind::failed, "[lower] ", place(*node_), ' ', what, "; expected ", expected);
  }

  Index batch_;
  Graph graph_;
  std::unordered_map<const void*, Meaning> meanings_;
  const Node* node_ = nullptr;
};

/// `count` times the first image of `sample`.
Tensor repeated(const Tensor& sample, Index count) {
  std::vector<Index> dims(sample.shape().dims().begin(), sample.shape().dims().end());
  const Index size = sample.size() / dims[0];
  dims[0] = count;
  Tensor images{Shape(dims)};
  for (Index n = 0; n < count; ++n) std::copy_n(sample.data(), size, images.data() + n * size);
  return images;
}

Graph lower_batch(nn::Module& model, const Tensor& images) {
  const Var image(images);
  Tape tape(Tape::Records::graph);
  const Var output = model(image);
  return Lowering(tape, image, output).take();
}

}  // namespace

Graph lower(nn::Module& model, const Tensor& sample) {
  check(!TrainingStep::current(), "[lower] inside a training step; expected evaluation mode");
  check(sample.rank() >= 2 && sample.dim(0) >= 1, "[lower] wrong sample: got ", sample.shape(),
        "; expected [N, ...], N of 1 or more");
  Graph graph = lower_batch(model, repeated(sample, 1));
  check(graph == lower_batch(model, repeated(sample, 7)),
        "[lower] the graph depends on the size of the batch: got two of batches of 1 and 7; "
        "expected one");
  return graph;
}

}  // namespace fraqat::deploy
