#include "quant/attach.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

LogitsForward forward_of(const std::string& bits) {
  return bits == "logits-argmax"   ? LogitsForward::argmax
         : bits == "logits-gumbel" ? LogitsForward::gumbel
                                   : LogitsForward::mixture;
}

std::unique_ptr<BitPolicy> make_bits(const TensorSpec& spec, const Widths& widths, double start) {
  if (spec.bits == "fixed") return fixed_bits(widths, widths.lowest());
  if (spec.bits == "stochastic") return std::make_unique<StochasticBits>(widths, start);
  check(
      spec.bits == "logits-argmax" || spec.bits == "logits-gumbel" || spec.bits == "logits-mixture",
      "[attach] no such bit policy: got ", spec.bits,
      "; expected fixed, logits-argmax, logits-gumbel, logits-mixture or stochastic");
  return std::make_unique<LogitBits>(widths, forward_of(spec.bits), start);
}

std::unique_ptr<RangePolicy> make_range(const std::string& range, const RangeOptions& options) {
  if (range == "minmax") return minmax_range(options);
  if (range == "mse") return mse_range(options);
  check(range == "learned", "[attach] no such range policy: got ", range,
        "; expected minmax, mse or learned");
  return learned_range(options);
}

/// Reads the groups off the tape and fills the slots.
class Plan {
 public:
  Plan(nn::Module& model, const Tape& tape, const Var& image, const Spec& spec)
      : tape_(tape), spec_(spec) {
    std::map<std::string, int> widths;
    for (const auto& [layer, bits] : spec.weight_bits) {
      const auto [found, first] = widths.emplace(layer, bits);
      check(first, "[attach] layer ", layer, " is given a width twice: got ", found->second,
            " and ", bits, "; expected one");
    }
    for (auto& [name, slot] : nn::slots(model)) slots_[name] = slot;
    for (const auto& node : tape.nodes())
      for (const Var& input : node->inputs())
        if (input) consumers_[input.id()].push_back(node.get());
    fill_input(image);
    for (const auto& node : tape.nodes()) read(*node);
    check(named_.size() == spec.weight_bits.size(), "[attach] a width is given for a layer that ",
          "does not exist or has no weight: got ", missing_name(), "; expected one of ",
          weight_names_);
  }

 private:
  static bool any(std::string_view op, std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), op) != names.end();
  }

  static bool activates(const Node& node) { return any(node.op(), {"relu", "clip"}); }

  /// True where the values stay what they are: codes in, the same codes out.
  bool inherits(const Node& node) const {
    return any(node.op(), {"max_pool2d", "reshape", "pad_channels"}) ||
           (activates(node) && quantized_.count(node.inputs()[0].id()));
  }

  /// The node that goes on with this one in a single integer op, if any.
  const Node* follower(const Node& node) const {
    const auto found = consumers_.find(node.output().id());
    if (found == consumers_.end() || found->second.size() != 1) return nullptr;
    const Node* next = found->second[0];
    const bool product = any(node.op(), {"conv2d", "linear"});
    if (next->op() == "batch_norm") return product ? next : nullptr;
    if (activates(*next)) return product || any(node.op(), {"batch_norm", "add"}) ? next : nullptr;
    return nullptr;
  }

  void read(const Node& node) {
    if (node.op() == "fake_quant") return;
    if (any(node.op(), {"conv2d", "linear"})) fill_weight(node);
    const void* from = node.inputs()[0].id();
    const void* to = node.output().id();
    const bool positive =
        node.op() == "relu" || (node.op() == "clip" && node.attributes().get<double>("low") >= 0);
    const bool both = node.op() != "add" || not_negative_.count(node.inputs()[1].id());
    const bool keeps_sign =
        inherits(node) || any(node.op(), {"avg_pool2d", "global_avg_pool", "add"});
    if (positive || (keeps_sign && both && not_negative_.count(from))) not_negative_.insert(to);
    if (inherits(node)) {
      if (quantized_.count(from)) quantized_.insert(to);
      return;
    }
    if (follower(node) || !consumers_.count(to)) return;  // the group goes on, or is the last
    fill_activation(node);
    quantized_.insert(to);
  }

  nn::Slot& slot(const Node& node, const std::string& which) {
    const std::string layer(node.layer());
    const std::string name = layer.empty() ? which : layer + "." + which;
    const auto found = slots_.find(name);
    check(found != slots_.end(), "[attach] the result of ", node.op(), " in layer \"", layer,
          "\" has to be quantized, but there is no slot ", name,
          "; try a module with slots (nn::Add, nn::AvgPool2d, nn::Relu, ...)");
    check(!*found->second, "[attach] slot ", name, " of layer \"", layer,
          "\" is filled already; try detach first");
    return *found->second;
  }

  static std::string name_of(const Node& node, const std::string& which) {
    return (node.layer().empty() ? "" : std::string(node.layer()) + ".") + which;
  }

  /// The one op that reads the image, or `value`, a reshape of it.
  const Node& reader_of_image(const Var& value) const {
    const auto users = consumers_.find(value.id());
    check(users != consumers_.end(), "[attach] no layer with weights reads the model's input");
    const std::vector<const Node*>& readers = users->second;
    check(readers.size() == 1, "[attach] the model's input is read twice: got ", readers[0]->op(),
          " in layer \"", readers[0]->layer(), "\" and ", readers.back()->op(), " in layer \"",
          readers.back()->layer(), "\"; expected one conv2d or linear, whose input_q quantizes it");
    return *readers[0];
  }

  void fill_input(const Var& image) {
    const Node* product = &reader_of_image(image);
    while (product->op() == "reshape") product = &reader_of_image(product->output());
    check(any(product->op(), {"conv2d", "linear"}), "[attach] the first op, ", product->op(),
          " in layer \"", product->layer(), "\", has no input_q; expected conv2d or linear");
    const Widths widths = Widths::one(max_bits);
    const RangeOptions range{Coding::natural, widths, 1, true, false, false};
    const Tensor& x = image.value();
    slot(*product, "input_q")
        .fill(std::make_shared<Quantizer>(
            Quantizer::Info{name_of(*product, "input_q"), Role::input, x.size() / x.dim(0),
                            Coding::natural, widths, 1, 0},
            fixed_bits(widths, max_bits), minmax_range(range)));
    quantized_.insert(image.id());
  }

  void fill_weight(const Node& node) {
    check(quantized_.count(node.inputs()[0].id()), "[attach] the input of ", node.op(),
          " in layer \"", node.layer(), "\" comes from ", producer(node.inputs()[0]),
          ", which leaves no codes; try a layer with slots there");
    const Tensor& weight = node.inputs()[1].value();
    TensorSpec spec = spec_.weight;
    weight_names_ += (weight_names_.empty() ? "" : ", ") + std::string(node.layer());
    for (const auto& [layer, bits] : spec_.weight_bits)
      if (layer == node.layer()) {
        spec.bits = "fixed";
        spec.start = bits;
        named_.insert(layer);
      }
    const Index rows = spec.per_channel ? weight.dim(0) : 1;
    fill(node, "weight_q", Role::weight, weight.size(), Coding::symmetric, rows, weight.dim(0),
         spec);
  }

  void fill_activation(const Node& node) {
    TensorSpec spec = spec_.activation;
    const bool positive = not_negative_.count(node.output().id()) > 0;
    if (positive) spec.affine = false;
    const Coding coding = positive || spec.affine ? Coding::natural : Coding::twos;
    if (spec.affine && spec.range == "learned") spec.range = "mse";
    const Tensor& y = node.output().value();
    fill(node, "output_q", Role::activation, y.size() / y.dim(0), coding, 1, 0, spec);
  }

  void fill(const Node& node, const std::string& which, Role role, Index elements, Coding coding,
            Index rows, Index channels, const TensorSpec& spec) {
    nn::Slot& socket = slot(node, which);
    const bool fixed = spec.bits == "fixed";
    const Widths widths = fixed ? Widths::one(static_cast<int>(std::lround(spec.start)))
                                : Widths::range(spec.lowest, spec.highest);
    RangeOptions range{
        coding, widths, rows, spec.affine, role == Role::activation, role == Role::weight};
    socket.fill(std::make_shared<Quantizer>(
        Quantizer::Info{name_of(node, which), role, elements, coding, widths, rows, channels},
        make_bits(spec, widths, start(spec)), make_range(spec.range, range)));
  }

  double start(const TensorSpec& spec) {
    if (!spec.random_start || spec.bits == "fixed") return spec.start;
    const Philox draw(spec_.seed, Stream::init, 0x62697473);  // far from the weights' substreams
    const float u = uniform(draw({0, 0, 0, drawn_++})[0]);
    return spec.lowest + static_cast<double>(u) * (spec.highest - spec.lowest);
  }

  std::string producer(const Var& value) const {
    for (const auto& node : tape_.nodes())
      if (node->output().id() == value.id())
        return std::string(node->op()) + " in layer \"" + std::string(node->layer()) + "\"";
    return "outside the model";
  }

  std::string missing_name() const {
    for (const auto& [layer, bits] : spec_.weight_bits)
      if (!named_.count(layer)) return layer;
    return "";
  }

  const Tape& tape_;
  const Spec& spec_;
  std::map<std::string, nn::Slot*> slots_;
  std::map<const void*, std::vector<const Node*>> consumers_;
  std::set<const void*> quantized_, not_negative_;
  std::set<std::string> named_;
  std::string weight_names_;
  std::uint32_t drawn_ = 0;
};

}  // namespace

void attach(nn::Module& model, const Tensor& sample, const Spec& spec) {
  nn::name_modules(model);
  for (auto& [name, slot] : nn::slots(model))
    check(!*slot, "[attach] slot ", name, " is filled already; try detach first");
  {
    Tape tape(Tape::Records::graph);
    const Var image(sample);
    model(image);
    Plan(model, tape, image, spec);
  }
  nn::name_modules(model);
}

void quantize(nn::Module& model, const Tensor& images, const Spec& spec) {
  attach(model, images, spec);
  set_mode(model, Quantizer::Mode::observe);
  model(Var(images));
  calibrated(model);
}

void detach(nn::Module& model) {
  for (auto& [name, slot] : nn::slots(model)) slot->clear();
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
