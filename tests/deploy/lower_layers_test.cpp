#include <doctest/doctest.h>

#include "nn/attention.hpp"
#include "nn/containers.hpp"
#include "nn/recurrent.hpp"
#include "quant/attach.hpp"
#include "quant/deploy/engine.hpp"
#include "quant/deploy/lower.hpp"

namespace fraqat::lower_layers_test {
namespace {

Tensor layer_sample(const Shape& shape) {
  Tensor x(shape);
  fill_normal(x, Philox(5, Stream::synthetic));
  return x;
}

/// What lowering says of `layer` between two Linears (or alone, before one), quantized.
template <class Layer>
std::string refusal(std::unique_ptr<Layer> layer, const Tensor& x, Index in, bool first = false) {
  nn::Initializer init(1);
  nn::Sequential net;
  if (!first) net.add(std::make_unique<nn::Linear>(x.dim(-1), in, init), "fc1");
  net.add(std::move(layer), "layer");
  Index width = 0;
  { width = net(Var(x)).shape()[-1]; }
  net.add(std::make_unique<nn::Linear>(width, 2, init), "fc2");
  quant::quantize(net, x, {});
  try {
    deploy::lower(net, x);
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing";
}

template <class Layer>
void check_refused(std::unique_ptr<Layer> layer, const std::string& op) {
  const std::string said = refusal(std::move(layer), layer_sample({3, 4}), 6);
  CHECK(said == "[lower] " + op + " in layer \"layer\" has no integer form: got an output of " +
                    "[1, 6]; expected conv2d, linear, batch_norm, relu, relu6, clip, add, max, "
                    "average and global pools, reshape and pad_channels; try these layers, or "
                    "keep the network in float");
}

bool mentions(const std::string& text, std::string_view part) {
  INFO(text);
  return text.find(part) != text.npos;
}

}  // namespace

TEST_CASE("lowering refuses layers without integer form, by name") {
  check_refused(std::make_unique<nn::Sigmoid>(), "sigmoid");
  check_refused(std::make_unique<nn::Tanh>(), "tanh");
  check_refused(std::make_unique<nn::Silu>(), "silu");
  check_refused(std::make_unique<nn::Hardswish>(), "hardswish");
  check_refused(std::make_unique<nn::LeakyRelu>(), "leaky_relu");
  check_refused(std::make_unique<nn::Gelu>(), "gelu");
  check_refused(std::make_unique<nn::Softplus>(), "softplus");
  check_refused(std::make_unique<nn::LayerNorm>(6), "layer_norm");
  check_refused(std::make_unique<nn::GroupNorm>(2, 6), "group_norm");
}

TEST_CASE("lowering refuses images, words, sequences and cells that it has no form for") {
  nn::Initializer init(1);
  const Tensor images = layer_sample({2, 3, 3, 2});
  const std::string up =
      refusal(std::make_unique<nn::ConvTranspose2d>(2, 3, 3, init), images, 0, true);
  CHECK(mentions(up, "conv_transpose2d in layer \"layer\" has no integer form: got an output of"));
  const std::string pool = refusal(std::make_unique<nn::AdaptiveAvgPool2d>(2, 2), images, 3);
  CHECK(mentions(pool, "; expected "));
  const std::string words =
      refusal(std::make_unique<nn::Embedding>(5, 3, init), Tensor({2, 4}, Real(1)), 0, true);
  CHECK(mentions(words, "gather in layer \"layer\" has no integer form"));
  const Tensor sequence = layer_sample({2, 3, 4});
  const std::string rows =
      "[lower] reshape in layer \"fc1\" does not keep the batch in axis 0: got [3, 4] from [1, 3, "
      "4]; expected ops that treat samples alike; try linear of [N, in], not of [N, T, in], which "
      "has no integer form";
  CHECK(refusal(std::make_unique<nn::TransformerEncoderLayer>(4, 2, 8, init), sequence, 4) == rows);
  CHECK(refusal(std::make_unique<nn::Lstm>(4, 3, init), sequence, 4) == rows);
  const std::string cell =
      refusal(std::make_unique<nn::GruCell>(6, 3, init), layer_sample({3, 4}), 6);
  CHECK(mentions(cell, "in layer \"layer"));
  CHECK(mentions(cell, "; expected "));
}

TEST_CASE("lowering refuses a convolution of unequal padding, by name") {
  nn::Initializer init(1);
  nn::Sequential net;
  op::Conv2dOptions options;
  options.padding = op::Padding(0, 1, 0, 1);
  net.add(std::make_unique<nn::Conv2d>(2, 3, 2, init, options), "conv1");
  net.add(std::make_unique<nn::Flatten>(), "flatten");
  net.add(std::make_unique<nn::Linear>(48, 2, init), "fc");
  const Tensor x = layer_sample({3, 4, 4, 2});
  quant::quantize(net, x, {});
  CHECK_THROWS_WITH_AS(deploy::lower(net, x),
                       doctest::Contains("conv2d in layer \"conv1\" has no integer form: got "
                                         "unequal padding"),
                       Error);
}

TEST_CASE("relu6 and batch norm 1d are lowered") {
  nn::Initializer init(1);
  nn::Sequential net;
  net.add(std::make_unique<nn::Linear>(4, 6, init), "fc1");
  net.add(std::make_unique<nn::BatchNorm1d>(6), "bn1");
  net.add(std::make_unique<nn::Relu6>(), "relu1");
  net.add(std::make_unique<nn::Linear>(6, 3, init), "fc2");
  Tensor x = layer_sample({5, 4});
  for (Real& v : x.span()) v *= 20;  // beyond 6 behind the first layer
  quant::quantize(net, x, {});
  const deploy::Graph graph = deploy::lower(net, x);
  CHECK(graph.ops.size() == 2);
  const Tensor expected = net(Var(x)).value();
  const Tensor y = deploy::Engine(graph).run(x).logits;
  for (Index i = 0; i < y.size(); ++i)
    CHECK(double(y[i]) == doctest::Approx(double(expected[i])).epsilon(0.02));
}

}  // namespace fraqat::lower_layers_test
