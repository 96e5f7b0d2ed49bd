#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "nn/attention.hpp"
#include "nn/containers.hpp"
#include "nn/recurrent.hpp"
#include "nn/state.hpp"
#include "quant/attach.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fraqat::attach_layers_test {

using quant::Quantizer;
using quant::Role;

namespace {

using Names = std::vector<std::string>;

Tensor normal_input(const Shape& shape) {
  Tensor x(shape);
  fill_normal(x, Philox(3, Stream::synthetic));
  return x;
}

Tensor word_input(Index n, Index length, Index words) {
  Tensor x({n, length});
  for (Index i = 0; i < x.size(); ++i) x[i] = Real((7 * i + 3) % words);
  return x;
}

Names attached_names(nn::Module& model, Role role) {
  Names found;
  for (const Quantizer* q : quant::quantizers(model))
    if (q->info().role == role) found.push_back(q->info().name);
  return found;
}

double relative_error(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double difference = 0, size = 0;
  for (Index i = 0; i < a.size(); ++i) {
    difference += std::pow(double(a[i]) - double(b[i]), 2);
    size += std::pow(double(b[i]), 2);
  }
  return std::sqrt(difference / size);
}

// At 8 bits the layer is near what it was; with widths that are learned every
// parameter, and every parameter of a weight's quantizer, gets a gradient.
void check_quantized(nn::Module& model, const Tensor& x, const Names& weights,
                     double tolerance = 0.05) {
  const Tensor before = model(Var(x)).value();
  for (const bool per_channel : {false, true}) {
    quant::Spec spec;
    spec.weight.per_channel = per_channel;
    quant::quantize(model, x, spec);
    CHECK(attached_names(model, Role::weight) == weights);
    const Tensor after = model(Var(x)).value();
    CHECK(relative_error(after, before) < tolerance);
    CHECK(relative_error(after, before) > 0);
    quant::detach(model);
  }
  quant::Spec spec;
  spec.weight.bits = spec.activation.bits = "logits-mixture";
  spec.weight.start = spec.activation.start = 5.3;
  quant::quantize(model, x, spec);
  TrainingStep step({});
  Tape tape;
  const Var y = model(Var(x));
  tape.backward(op::sum(op::mul(y, Var(normal_input(y.shape())))));
  for (const nn::Named<Var>& parameter : nn::parameters(model)) {
    const std::string& name = parameter.name;
    INFO(name);
    const bool of_weight = name.find("output_q") == name.npos && name.find("input_q") == name.npos;
    // A key's bias adds the same to all scores of a query, which softmax does not see.
    if (!of_weight || name.ends_with("k_proj.bias")) continue;
    REQUIRE(parameter.item->grad());
    const auto g = parameter.item->grad().span();
    CHECK(std::any_of(g.begin(), g.end(), [](Real v) { return v != 0; }));
    CHECK(std::all_of(g.begin(), g.end(), [](Real v) { return std::isfinite(v); }));
  }
}

template <class Layer>
nn::Sequential& then(nn::Sequential& net, std::unique_ptr<Layer> layer, std::string name) {
  net.add(std::move(layer), std::move(name));
  return net;
}

}  // namespace

TEST_CASE("attach: transposed convolution, and each activation behind a product") {
  nn::Initializer init(1);
  nn::Sequential net;
  then(net, std::make_unique<nn::ConvTranspose2d>(2, 3, 3, init, op::ConvTranspose2dOptions{2}),
       "up");
  then(net, std::make_unique<nn::LeakyRelu>(), "leaky");
  then(net, std::make_unique<nn::Conv2d>(3, 3, 1, init), "conv1");
  then(net, std::make_unique<nn::Hardswish>(), "hardswish");
  then(net, std::make_unique<nn::Conv2d>(3, 3, 1, init), "conv2");
  then(net, std::make_unique<nn::GroupNorm>(1, 3), "norm");
  then(net, std::make_unique<nn::Relu6>(), "relu6");
  then(net, std::make_unique<nn::AdaptiveMaxPool2d>(4, 4), "max");
  then(net, std::make_unique<nn::AdaptiveAvgPool2d>(2, 2), "average");
  then(net, std::make_unique<nn::Flatten>(), "flatten");
  then(net, std::make_unique<nn::Linear>(12, 5, init), "fc1");
  then(net, std::make_unique<nn::Softplus>(), "softplus");
  then(net, std::make_unique<nn::Linear>(5, 2, init), "fc2");
  const Tensor x = normal_input({4, 3, 3, 2});
  check_quantized(
      net, x, {"up.weight_q", "conv1.weight_q", "conv2.weight_q", "fc1.weight_q", "fc2.weight_q"});
  CHECK(attached_names(net, Role::activation) == Names{"leaky.output_q", "hardswish.output_q",
                                                       "conv2.output_q", "relu6.output_q",
                                                       "average.output_q", "softplus.output_q"});
  CHECK(attached_names(net, Role::input) == Names{"up.input_q"});
  for (const Quantizer* q : quant::quantizers(net)) {
    if (q->info().role != Role::activation) continue;
    const std::string& name = q->info().name;
    const bool positive =
        name == "relu6.output_q" || name == "average.output_q" || name == "softplus.output_q";
    INFO(name);
    CHECK((q->info().coding == quant::Coding::natural) == positive);
    if (name == "leaky.output_q") CHECK(q->info().elements == 7 * 7 * 3);
  }
}

TEST_CASE("attach: sigmoid, tanh, silu, gelu behind a linear and a norm") {
  nn::Initializer init(1);
  nn::Sequential net;
  then(net, std::make_unique<nn::Linear>(6, 5, init), "fc1");
  then(net, std::make_unique<nn::BatchNorm1d>(5), "bn");
  then(net, std::make_unique<nn::Silu>(), "silu");
  then(net, std::make_unique<nn::Linear>(5, 5, init), "fc2");
  then(net, std::make_unique<nn::LayerNorm>(5), "ln");
  then(net, std::make_unique<nn::Gelu>(), "gelu");
  then(net, std::make_unique<nn::Linear>(5, 5, init), "fc3");
  then(net, std::make_unique<nn::Sigmoid>(), "sigmoid");
  then(net, std::make_unique<nn::Linear>(5, 5, init), "fc4");
  then(net, std::make_unique<nn::Tanh>(), "tanh");
  then(net, std::make_unique<nn::Linear>(5, 3, init), "fc5");
  for (const Index length : {1, 3}) {  // rows, and sequences of them
    quant::detach(net);
    const Tensor x = length == 1 ? normal_input({8, 6}) : normal_input({4, length, 6});
    check_quantized(
        net, x, {"fc1.weight_q", "fc2.weight_q", "fc3.weight_q", "fc4.weight_q", "fc5.weight_q"});
    CHECK(attached_names(net, Role::activation) == Names{"silu.output_q", "fc2.output_q",
                                                         "gelu.output_q", "sigmoid.output_q",
                                                         "tanh.output_q"});
    for (const Quantizer* q : quant::quantizers(net))
      if (q->info().role == Role::activation) CHECK(q->info().elements == 5 * length);
  }
}

TEST_CASE("attach: an embedding's codes are its weight's, unless every row has a scale") {
  nn::Initializer init(1);
  nn::Sequential net;
  then(net, std::make_unique<nn::Embedding>(9, 4, init), "words");
  then(net, std::make_unique<nn::Linear>(4, 3, init), "fc");
  const Tensor x = word_input(3, 6, 9);
  check_quantized(net, x, {"words.weight_q", "fc.weight_q"});
  CHECK(attached_names(net, Role::activation).empty());
  CHECK(attached_names(net, Role::input).empty());
  quant::detach(net);
  quant::Spec spec;
  spec.weight.per_channel = true;
  quant::quantize(net, x, spec);
  CHECK(attached_names(net, Role::activation) == Names{"words.output_q"});
}

TEST_CASE("attach: a Transformer's block, its scores and probabilities") {
  nn::Initializer init(1);
  for (const bool norm_first : {false, true}) {
    nn::Sequential net;
    then(net, std::make_unique<nn::Embedding>(9, 8, init), "words");
    then(net,
         std::make_unique<nn::TransformerEncoderLayer>(
             8, 2, 12, init, nn::EncoderOptions{0, norm_first, norm_first}),
         "block");
    then(net, std::make_unique<nn::Linear>(8, 3, init), "fc");
    check_quantized(
        net, word_input(4, 5, 9),
        {"words.weight_q", "block.self_attn.q_proj.weight_q", "block.self_attn.k_proj.weight_q",
         "block.self_attn.v_proj.weight_q", "block.self_attn.out_proj.weight_q",
         "block.linear1.weight_q", "block.linear2.weight_q", "fc.weight_q"});
    Names expected = {"block.self_attn.q_proj.output_q",
                      "block.self_attn.k_proj.output_q",
                      "block.self_attn.v_proj.output_q",
                      "block.self_attn.scores.output_q",
                      "block.self_attn.probabilities.output_q",
                      "block.self_attn.context.output_q",
                      "block.self_attn.out_proj.output_q",
                      "block.activation.output_q",
                      "block.linear2.output_q",
                      "block.norm1.output_q",
                      "block.norm2.output_q",
                      "block.add1.output_q",
                      "block.add2.output_q"};
    CHECK(attached_names(net, Role::activation) == expected);
    for (const Quantizer* q : quant::quantizers(net)) {
      const std::string& name = q->info().name;
      if (name == "block.self_attn.scores.output_q") CHECK(q->info().elements == 2 * 5 * 5);
      if (name == "block.self_attn.probabilities.output_q")
        CHECK(q->info().coding == quant::Coding::natural);
    }
  }
}

TEST_CASE("attach: a mask belongs to the softmax, not to the scores") {
  nn::Initializer init(1);
  struct Masked final : nn::Module {
    nn::Linear in;
    nn::MultiHeadAttention attention;
    explicit Masked(nn::Initializer& init) : in(3, 4, init), attention(4, 2, init) {}
    Var forward(const Var& x) override {
      const Var y = in(x);
      return attention(y, y, y, nn::causal_mask(x.shape()[1]));
    }
    void visit(nn::Visitor& visitor) override {
      visitor.child("in", in);
      visitor.child("attention", attention);
    }
    std::string_view kind() const override { return "Masked"; }
  } net(init);
  check_quantized(net, normal_input({4, 5, 3}),
                  {"in.weight_q", "attention.q_proj.weight_q", "attention.k_proj.weight_q",
                   "attention.v_proj.weight_q", "attention.out_proj.weight_q"});
}

TEST_CASE("attach: cells over time: every step shares the cell's quantizers") {
  nn::Initializer init(1);
  nn::Sequential lstm, gru;
  then(lstm, std::make_unique<nn::Lstm>(3, 4, init), "lstm");
  then(lstm, std::make_unique<nn::Linear>(4, 2, init), "fc");
  then(gru, std::make_unique<nn::Gru>(3, 4, init, true), "gru");
  then(gru, std::make_unique<nn::Linear>(4, 2, init), "fc");
  const Tensor x = normal_input({4, 5, 3});
  check_quantized(lstm, x, {"lstm.cell.ih.weight_q", "lstm.cell.hh.weight_q", "fc.weight_q"}, 0.1);
  check_quantized(gru, x, {"gru.cell.ih.weight_q", "gru.cell.hh.weight_q", "fc.weight_q"}, 0.1);
  CHECK(attached_names(lstm, Role::activation) ==
        Names{"lstm.cell.ih.output_q", "lstm.cell.hh.output_q", "lstm.cell.sum.output_q",
              "lstm.cell.input_gate.output_q", "lstm.cell.forget_gate.output_q",
              "lstm.cell.cell_gate.output_q", "lstm.cell.output_gate.output_q",
              "lstm.cell.kept.output_q", "lstm.cell.admitted.output_q",
              "lstm.cell.new_cell.output_q", "lstm.cell.squashed.output_q",
              "lstm.cell.new_hidden.output_q"});
  CHECK(attached_names(gru, Role::activation).size() == 12);
}

TEST_CASE("attach: widths and ranges of attention and cells are state, and come back from a file") {
  const auto quantized = [](std::uint64_t seed) {
    nn::Initializer init(seed);
    auto net = std::make_unique<nn::Sequential>();
    then(*net, std::make_unique<nn::Linear>(3, 4, init), "in");
    then(*net, std::make_unique<nn::TransformerEncoderLayer>(4, 2, 6, init), "block");
    then(*net, std::make_unique<nn::Gru>(4, 3, init), "gru");
    quant::Spec spec;
    spec.seed = seed;
    spec.weight.bits = spec.activation.bits = "stochastic";
    spec.weight.random_start = spec.activation.random_start = true;
    quant::quantize(*net, normal_input({2, 4, 3}), spec);
    return net;
  };
  const auto written = quantized(1), read = quantized(2);
  const Tensor x = normal_input({3, 4, 3});
  const Tensor expected = (*written)(Var(x)).value();
  CHECK(relative_error((*read)(Var(x)).value(), expected) > 0.01);
  const test::TemporaryDirectory folder;
  nn::save_state(*written, folder / "quantized.safetensors");
  nn::load_state(*read, folder / "quantized.safetensors");
  CHECK(relative_error((*read)(Var(x)).value(), expected) == 0);
}

TEST_CASE("attach: one slot for two tensors of different kinds is refused") {
  nn::Initializer init(1);
  struct Twice final : nn::Module {
    nn::Linear in, middle, out;
    nn::Add add;
    explicit Twice(nn::Initializer& init) : in(3, 3, init), middle(3, 3, init), out(3, 3, init) {}
    Var forward(const Var& x) override {
      const Var positive = op::relu(in(x)), both = middle(add(positive, positive));
      return out(add(both, both));
    }
    void visit(nn::Visitor& visitor) override {
      visitor.child("in", in);
      visitor.child("add", add);
      visitor.child("middle", middle);
      visitor.child("out", out);
      visitor.slot("output_q", output_q);
    }
    std::string_view kind() const override { return "Twice"; }
    nn::Slot output_q;
  } net(init);
  CHECK_THROWS_WITH_AS(quant::attach(net, normal_input({1, 3}), {}),
                       "[attach] slot add.output_q of layer \"add\" would quantize two tensors "
                       "that differ in kind: got add after add; expected one op in a slot; try a "
                       "module for each",
                       Error);
}

}  // namespace fraqat::attach_layers_test
