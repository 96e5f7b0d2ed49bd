#include "quant/attach.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "quant/bits_by_name.hpp"
#include "quant/given_widths.hpp"
#include "quant/groups.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

/// Fills the slots, group by group.
class Plan {
 public:
  Plan(nn::Module& model, const Tape& tape, const Var& image, const Spec& spec)
      : tape_(tape),
        groups_(tape),
        spec_(spec),
        weight_bits_(spec.weight_bits, "weight"),
        activation_bits_(spec.activation_bits, "quantized output"),
        batch_(image.shape()[0]) {
    check(!spec.activation.bits_per_channel && !spec.activation.per_channel,
          "[attach] channels with ranges or bit-widths of their own are for weights: got one for "
          "activations; expected per_channel = bits_per_channel = false");
    check(!spec.weight.bits_per_channel || spec.weight.per_channel,
          "[attach] a bit-width for each channel needs a range for each: got bits_per_channel = "
          "true with per_channel = false; try per_channel = true");
    check(spec.weight.narrow_range || !spec.weight.bits_per_channel,
          "[attach] channels with bit-widths of their own have symmetric codes: got "
          "bits_per_channel = true with narrow_range = false; try narrow_range = true");
    for (auto& [name, slot] : nn::slots(model)) slots_[name] = slot;
    fill_input(image);
    for (const auto& node : tape.nodes()) read(*node);
    weight_bits_.check_all_met();
    activation_bits_.check_all_met();
    check(spec.sum_bits == 0 || !sums_.empty(),
          "[attach] a width is given for sums, but the network has none: got sum_bits = ",
          spec.sum_bits, "; expected 0");
  }

 private:
  /// The slot whose codes all inputs of `node` have, null if there is no such one.
  const nn::Slot* common_codes(const Node& node) const {
    const nn::Slot* common = nullptr;
    for (const Var& input : node.inputs()) {
      const auto found = codes_.find(input.id());
      if (found == codes_.end() || (common && found->second != common)) return nullptr;
      common = found->second;
    }
    return common;
  }

  bool not_negative(const Node& node) const {
    if (never_negative(node)) return true;
    const auto known = [this](const Var& input) { return not_negative_.count(input.id()) > 0; };
    return keeps_sign(node) && std::all_of(node.inputs().begin(), node.inputs().end(), known);
  }

  // Zero is a code of every grid: a state that starts as zeros needs no quantizer.
  bool has_codes(const Var& value) const {
    if (codes_.count(value.id())) return true;
    if (groups_.maker(value) || !value.name().empty()) return false;
    const auto numbers = value.value().span();
    return std::all_of(numbers.begin(), numbers.end(), [](Real v) { return v == 0; });
  }

  void read(const Node& node) {
    if (node.op() == "fake_quant") return;
    const bool lookup = looks_up(node);
    if (multiplies_weight(node)) fill_operand(node);
    if (multiplies_weight(node) || lookup) fill_weight(node, lookup ? 0 : 1);
    if (node.op() == "matmul")
      for (const Var& operand : node.inputs()) check_codes(node, operand);
    const void* to = node.output().id();
    if (not_negative(node)) not_negative_.insert(to);
    if (moves_codes(node) || clamps(node)) {
      if (const nn::Slot* codes = common_codes(node)) {
        codes_[to] = codes;
        return;
      }
      // Single inputs without codes are inside a group, which goes on.
      if (moves_codes(node) && node.op() != "concat" && !lookup) return;
    }
    if (groups_.follower(node) || groups_.readers(node.output()).empty()) return;
    codes_[to] = fill_activation(node);
  }

  /// A gather from a parameter: an embedding.
  bool looks_up(const Node& node) const {
    return node.op() == "gather" && !groups_.maker(node.inputs()[0]) &&
           !node.inputs()[0].name().empty();
  }

  nn::Slot& slot(const Node& node, const std::string& which) {
    const std::string layer(node.layer());
    const std::string name = layer.empty() ? which : layer + "." + which;
    const auto found = slots_.find(name);
    check(found != slots_.end(), "[attach] the result of ", node.op(), " in layer \"", layer,
          "\" has to be quantized: got no slot ", name,
          "; expected one; try a module with slots (nn::Add, nn::AvgPool2d, nn::Relu, ...)");
    return *found->second;
  }

  static std::string name_of(const Node& node, const std::string& which) {
    return (node.layer().empty() ? "" : std::string(node.layer()) + ".") + which;
  }

  /// The one op that reads the image, or `value`, a reshape of it.
  const Node& reader_of_image(const Var& value) const {
    const std::vector<const Node*>& readers = groups_.readers(value);
    check(!readers.empty(),
          "[attach] no layer with weights reads the model's input: got none; expected a conv2d or "
          "linear");
    check(readers.size() == 1, "[attach] the model's input is read twice: got ", readers[0]->op(),
          " in layer \"", readers[0]->layer(), "\" and ", readers.back()->op(), " in layer \"",
          readers.back()->layer(), "\"; expected one conv2d or linear, whose input_q quantizes it");
    return *readers[0];
  }

  void fill_input(const Var& image) {
    const auto lookup = [this](const auto& node) { return looks_up(*node); };
    if (groups_.readers(image).empty() &&
        std::any_of(tape_.nodes().begin(), tape_.nodes().end(), lookup))
      return;  // words for an embedding: indices have no range
    const Node* product = &reader_of_image(image);
    while (product->op() == "reshape") product = &reader_of_image(product->output());
    check(multiplies_weight(*product), "[attach] the first op, ", product->op(), " in layer \"",
          product->layer(), "\", has no input_q; expected conv2d or linear");
    const Widths widths = Widths::one(max_bits);
    const RangeOptions range{Coding::natural, widths, 1, true, false, false};
    const Tensor& x = image.value();
    nn::Slot& socket = slot(*product, "input_q");
    socket.fill(std::make_shared<Quantizer>(
        Quantizer::Info{name_of(*product, "input_q"), Role::input, x.size() / x.dim(0),
                        Coding::natural, widths, 1, 0},
        fixed_bits(widths, max_bits), minmax_range(range)));
    filled_by_[&socket] = product->op();
    codes_[image.id()] = &socket;
  }

  void check_codes(const Node& node, const Var& operand) const {
    check(has_codes(operand), "[attach] the input of ", node.op(), " in layer \"", node.layer(),
          "\" comes from ", groups_.origin(operand),
          ", which leaves no codes; try a layer with slots there");
  }

  // The weight is input `at` of the node; all else a product reads must be codes.
  void fill_weight(const Node& node, std::size_t at) {
    const bool product = at > 0, transposed = node.op() == "conv_transpose2d";
    if (product) check_codes(node, node.inputs()[0]);
    const Tensor& weight = node.inputs()[at].value();
    TensorSpec spec = spec_.weight;
    weight_bits_.apply(std::string(node.layer()), spec);
    // Rows of a transposed convolution are inputs: a scale of each would stay inside the sum.
    const Index rows = spec.per_channel && !transposed ? weight.dim(0) : 1;
    const Index channels = !product ? 0 : transposed ? node.output().shape()[-1] : weight.dim(0);
    const bool one_bit = spec.bits == "fixed" ? spec.start < min_bits : spec.lowest < min_bits;
    check(spec.narrow_range || !one_bit, "[attach] one bit has no lowest code to spare: layer \"",
          node.layer(), "\" got a width below ", min_bits,
          " with narrow_range = false; try narrow_range = true");
    const Coding coding = spec.narrow_range ? Coding::symmetric : Coding::twos;
    const nn::Slot* codes =
        fill(node, "weight_q", Role::weight, weight.size(), coding, rows, channels, spec);
    if (!product && rows == 1) codes_[node.inputs()[at].id()] = codes;
  }

  bool read_by_add(const Var& value) const {
    const std::vector<const Node*>& readers = groups_.readers(value);
    return std::any_of(readers.begin(), readers.end(), [this](const Node* reader) {
      return reader->op() == "add" || (moves_codes(*reader) && read_by_add(reader->output()));
    });
  }

  /// Whether an add makes or reads what the group that ends in `node` puts out.
  bool has_part_in_sum(const Node& node) const {
    const Node* made = clamps(node) ? groups_.maker(node.inputs()[0]) : &node;
    return (made && made->op() == "add") || read_by_add(node.output());
  }

  const nn::Slot* fill_activation(const Node& node) {
    TensorSpec spec = spec_.activation;
    const bool sum = spec_.sum_bits > 0 && has_part_in_sum(node);
    if (sum) {
      spec.bits = "fixed";
      spec.start = spec_.sum_bits;
    }
    activation_bits_.apply(std::string(node.layer()), spec);
    const nn::Slot* codes =
        fill_numbers(node, "output_q", sum ? Role::sum : Role::activation, node.output(), spec);
    if (sum) sums_.insert(codes);
    return codes;
  }

  // What has the width of sums is wide: a product reads a copy at a width of its own.
  void fill_operand(const Node& node) {
    const Var& x = node.inputs()[0];
    const auto codes = codes_.find(x.id());
    if (codes != codes_.end() && sums_.count(codes->second))
      fill_numbers(node, "input_q", Role::activation, x, spec_.activation);
  }

  const nn::Slot* fill_numbers(const Node& node, const std::string& which, Role role,
                               const Var& numbers, TensorSpec spec) {
    const bool positive = not_negative_.count(numbers.id()) > 0;
    if (positive) spec.affine = false;
    const Coding coding = positive || spec.affine ? Coding::natural : Coding::twos;
    const Index elements = std::max<Index>(1, numbers.value().size() / batch_);
    return fill(node, which, role, elements, coding, 1, 0, spec);
  }

  // A layer that is applied again, as a cell is at every step, has its quantizer.
  const nn::Slot* shared(const Node& node, const nn::Slot& socket, const std::string& name,
                         Coding coding) const {
    const auto& info = dynamic_cast<const Quantizer&>(*socket.get()).info();
    check(filled_by_.at(&socket) == node.op() && info.coding == coding, "[attach] slot ", name,
          " of layer \"", node.layer(), "\" would quantize two tensors that differ in kind: got ",
          node.op(), " after ", filled_by_.at(&socket),
          "; expected one op in a slot; try a module ", "for each");
    return &socket;
  }

  const nn::Slot* fill(const Node& node, const std::string& which, Role role, Index elements,
                       Coding coding, Index rows, Index channels, const TensorSpec& spec) {
    nn::Slot& socket = slot(node, which);
    if (socket) return shared(node, socket, name_of(node, which), coding);
    const bool fixed = spec.bits == "fixed";
    const Widths widths = fixed ? Widths::one(static_cast<int>(std::lround(spec.start)))
                          : spec.candidates.empty() ? Widths::range(spec.lowest, spec.highest)
                                                    : Widths(spec.candidates);
    RangeOptions range{
        coding, widths, rows, spec.affine, role != Role::weight, role == Role::weight};
    range.momentum = spec.momentum;
    range.percentile = spec.percentile;
    if (spec.gradient_scale == "lsq") range.elements = elements / rows;
    const bool row_widths = spec.bits_per_channel && rows > 1 && !fixed;
    Policies policies = make_policies(spec.bits, starts(spec, widths, row_widths ? rows : 1), range,
                                      make_range(spec.range, range));
    socket.fill(
        std::make_shared<Quantizer>(Quantizer::Info{name_of(node, which), role, elements, coding,
                                                    widths, rows, channels, row_widths},
                                    std::move(policies.bits), std::move(policies.range)));
    filled_by_[&socket] = node.op();
    return &socket;
  }

  std::vector<double> starts(const TensorSpec& spec, const Widths& widths, Index count) {
    const double low = widths.lowest(), high = widths.highest();
    const double start = spec.candidates.empty() ? spec.start : std::clamp(spec.start, low, high);
    std::vector<double> all(static_cast<std::size_t>(count), start);
    if (!spec.random_start || spec.bits == "fixed") return all;
    const Philox draw(spec_.seed, Stream::init, 0x62697473);  // far from the weights' substreams
    for (double& one : all) {
      const float u = uniform(draw({0, 0, 0, drawn_++})[0]);
      one = low + static_cast<double>(u) * (high - low);
    }
    return all;
  }

  const Tape& tape_;
  const Groups groups_;
  const Spec& spec_;
  GivenWidths weight_bits_, activation_bits_;
  const Index batch_;
  std::map<std::string, nn::Slot*> slots_;
  std::map<const void*, const nn::Slot*> codes_;  // of a tensor: the slot they are from
  std::map<const nn::Slot*, std::string_view> filled_by_;
  std::set<const nn::Slot*> sums_;  // that have the width of sums
  std::set<const void*> not_negative_;
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
