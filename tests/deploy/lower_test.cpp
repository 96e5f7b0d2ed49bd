#include "quant/deploy/lower.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "nn/containers.hpp"
#include "nn/layers.hpp"
#include "quant/deploy/engine.hpp"
#include "quant/deploy/tape_codes.hpp"
#include "tests/deploy/quantized_model.hpp"
#include "tests/support/sum_of_products.hpp"

namespace fraqat::lower_test {

using namespace fraqat::deploy;
using fraqat::test::Stored;

namespace {

/// The codes of all activation quantizers on the tape of a forward pass.
std::vector<Integers> codes_of_module(nn::Module& model, const Tensor& images) {
  Tape tape(Tape::Records::graph);
  model(Var(images));
  std::vector<Integers> all;
  for (const auto& node : tape.nodes()) {
    if (!is_quantizer(*node) || !node->inputs()[0].name().empty()) continue;
    const Attributes attributes = node->attributes();
    const float scale = attributes.get<Tensor>("scale").item();
    const float zero = attributes.get<Tensor>("zero").item();
    Integers& codes = all.emplace_back();
    for (const float y : node->output().value().span())
      codes.push_back(static_cast<std::int32_t>(std::nearbyint(y / scale + zero)));
  }
  return all;
}

bool has_codes_of_its_own(const Op& op) { return !acts_on_codes(op) && !op.output.accumulators(); }

/// How far the codes of one sample are from the module's, in the first tensor
/// where they differ at all: what comes behind follows from that.
struct Agreement {
  Index codes = 0, different = 0, furthest = 0;
};

Agreement compare(const Graph& graph, const Outputs& outputs, const std::vector<Integers>& module,
                  Index sample, Index samples) {
  std::vector<const Integers*> lowered = {&outputs.values[0]};
  for (std::size_t i = 0; i < graph.ops.size(); ++i)
    if (has_codes_of_its_own(graph.ops[i])) lowered.push_back(&outputs.values[i + 1]);
  REQUIRE(lowered.size() == module.size());
  Agreement result;
  for (std::size_t i = 0; i < module.size() && result.different == 0; ++i) {
    REQUIRE(lowered[i]->size() == module[i].size());
    const std::size_t each = module[i].size() / static_cast<std::size_t>(samples);
    const std::size_t begin = static_cast<std::size_t>(sample) * each;
    for (std::size_t k = begin; k < begin + each; ++k) {
      const Index distance = std::abs((*lowered[i])[k] - module[i][k]);
      ++result.codes;
      result.different += distance != 0;
      result.furthest = std::max(result.furthest, distance);
    }
  }
  return result;
}

Var four_bits(const Var& x, float scale, float zero, quant::Coding coding) {
  return op::fake_quant(x, Var(Tensor({1}, 1.0f)), Var(Tensor({1, 1}, scale)),
                        Var(Tensor({1, 1}, zero)), {coding, quant::Widths::one(4), 0, 0});
}

/// Two 1 x 1 convolutions of one channel, batch norm and ReLU between them.
class TwoProducts final : public nn::Module {
 public:
  TwoProducts() {
    first_.set_name("conv.weight");
    last_.set_name("last.weight");
  }

  Var forward(const Var& image) override {
    const Var hidden = first(four_bits(image, 0.5f, 2, quant::Coding::natural));
    const LayerScope scope("last");
    return op::conv2d(hidden, four_bits(last_, 0.125f, 0, quant::Coding::symmetric));
  }
  void visit(nn::Visitor&) override {}
  std::string_view kind() const override { return "TwoProducts"; }

 private:
  Var first(const Var& x) {
    const LayerScope scope("conv");
    const Var y = op::conv2d(x, four_bits(first_, 0.25f, 0, quant::Coding::symmetric),
                             Var(Tensor({1}, 4.0f)));
    op::BatchNormOptions options;
    options.epsilon = 1;
    const Var normal =
        op::batch_norm(y, Var(Tensor({1}, -3.0f)), Var(Tensor({1}, 5.0f)), state_, options);
    return four_bits(op::relu(normal), 2, 3, quant::Coding::natural);
  }

  Var first_{Tensor({1, 1, 1, 1}, 0.75f)}, last_{Tensor({1, 1, 1, 1}, 1.0f)};
  op::BatchNormState state_{Tensor({1}, 1.0f), Tensor({1}, 8.0f)};
};

nn::Slot& slot(nn::Module& model, std::string_view wanted) {
  for (auto& [name, slot] : nn::slots(model))
    if (name == wanted) return *slot;
  fail(Error::Kind::failed, "[test] no slot ", wanted);
}

std::string failure(nn::Module& model) {
  try {
    lower(model, test::model_images(2, 1));
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing failed";
}

/// Whether lowering `model` fails with `part` in the text.
bool fails_with(nn::Module& model, std::string_view part) {
  const std::string text = failure(model);
  const bool found = text.find(part) != std::string::npos;
  if (!found) MESSAGE("got: ", text);
  return found;
}

/// Fills `to` with the quantizer of `from`, which stays its owner.
void lend(nn::Slot& to, const nn::Slot& from) {
  to.fill(std::shared_ptr<nn::Transform>(from.get(), [](auto*) {}));
}

}  // namespace

namespace {

/// The graph of `model` against the module, and against the engine to the last bit.  Of the
/// codes of each of 30 samples at most so many differ from the module's, and in so many samples.
void check_lowered(nn::Module& model, Index most_codes = 3, Index most_samples = 15) {
  const Tensor images = test::model_images(30, 5);
  const Graph graph = lower(model, images);
  const Outputs outputs = evaluate(graph, images, true);
  const Outputs engine = Engine(graph).run(images, true);
  CHECK(outputs.accumulators == engine.accumulators);
  CHECK(outputs.values == engine.values);

  const auto module = codes_of_module(model, images);
  const Tensor logits = model(Var(images)).value();
  Index codes = 0, different_samples = 0;
  for (Index n = 0; n < 30; ++n) {
    const Agreement agreement = compare(graph, outputs, module, n, 30);
    CHECK(agreement.furthest <= 1);
    CHECK(agreement.different <= most_codes);
    codes += agreement.codes;
    different_samples += agreement.different > 0;
    for (Index i = 10 * n; agreement.different == 0 && i < 10 * n + 10; ++i)
      CHECK(std::abs(logits[i] - outputs.logits[i]) <= 1e-4f * (1 + std::abs(logits[i])));
  }
  CHECK(codes > 30 * 700);
  CHECK(different_samples <= most_samples);
}

}  // namespace

TEST_CASE("lowered networks are the module, but for rare roundings") {
  for (const char* name : {"mlp", "lenet5", "lenet5-bn", "cnn-32-64", "tiny-resnet"})
    for (const auto& [affine, stored] : {std::pair{false, Stored::bits},
                                         {true, Stored::bits},
                                         {true, Stored::levels},
                                         {false, Stored::channels}}) {
      CAPTURE(name);
      CAPTURE(affine);
      CAPTURE(static_cast<int>(stored));
      check_lowered(*test::quantized_model(name, affine, {28, 28, 1}, stored));
    }
}

TEST_CASE("lowered: wide sums and the narrow copies that products read; weights with all codes") {
  for (const bool affine : {false, true}) {
    CAPTURE(affine);
    const auto model =
        test::quantized_model("tiny-resnet", affine, {28, 28, 1}, Stored::bits, 8, false);
    // A number is near the middle of two codes of 8 bits 16 times as often as of 4.
    check_lowered(*model, 9, 30);
    const Graph graph = lower(*model, test::model_images(1, 1));
    Index copies = 0, lowest = 0;
    for (const Op& op : graph.ops) {
      if (const auto* pool = std::get_if<AvgPool2d>(&op.what); pool && pool->height == 1) {
        CHECK(op.output.shape == graph.value(op.inputs[0]).shape);
        CHECK(graph.value(op.inputs[0]).width == Width(8));
        ++copies;
      }
      if (std::holds_alternative<Add>(op.what)) {
        CHECK(op.output.width == Width(8));
        for (const int i : op.inputs) CHECK(graph.value(i).width == Width(8));
      }
      if (const Product* product = product_of(op))
        lowest += product->weight.grid[0].lo == -(1 << (product->weight.width[0].whole_bits() - 1));
    }
    CHECK(copies == 3);  // one for each block
    CHECK(lowest == 8);
  }
}

TEST_CASE("lowered: a vector, too, can be copied to another grid") {
  test::SumOfProducts net;
  quant::Spec spec;
  spec.weight.start = spec.activation.start = 3;
  spec.sum_bits = 7;
  Tensor images({20, 8});
  fill_normal(images, Philox(2, Stream::synthetic));
  quant::quantize(net, images, spec);
  const Graph graph = lower(net, images);
  const Outputs outputs = evaluate(graph, images, true), engine = Engine(graph).run(images, true);
  CHECK(outputs.values == engine.values);
  const Tensor logits = net(Var(images)).value();
  Index near = 0;
  for (Index i = 0; i < logits.size(); ++i)
    near += std::abs(logits[i] - outputs.logits[i]) <= 1e-4f;
  CHECK(near >= logits.size() - 4);
}

TEST_CASE("lowered resnet20, shortcuts padded or projected, is the module but for roundings") {
  const Shape sample{12, 12, 3};
  for (const bool projected : {false, true})
    for (const bool affine : {false, true}) {
      CAPTURE(projected);
      CAPTURE(affine);
      const auto model =
          test::quantized_model(projected ? "resnet20-b" : "resnet20", affine, sample,
                                projected != affine ? Stored::levels : Stored::bits);
      const Tensor images = test::model_images(20, 5, sample);
      const Graph graph = lower(*model, images);
      int products = 0, adds = 0;
      for (const auto& op : graph.ops) {
        products += name_of(op) == "conv2d" || name_of(op) == "linear";
        adds += name_of(op) == "add";
      }
      CHECK(products == (projected ? 22 : 20));
      CHECK(adds == 9);
      const Outputs outputs = evaluate(graph, images, true);
      const Outputs engine = Engine(graph).run(images, true);
      CHECK(outputs.accumulators == engine.accumulators);
      CHECK(outputs.values == engine.values);

      const auto module = codes_of_module(*model, images);
      for (Index n = 0; n < 20; ++n) {
        const Agreement agreement = compare(graph, outputs, module, n, 20);
        CHECK(agreement.furthest <= 1);
        CHECK(agreement.different * 100 <= agreement.codes);
      }
    }
}

TEST_CASE("lowering lenet5-bn: the groups become eight ops") {
  const auto model = test::quantized_model("lenet5-bn", false);
  const Graph graph = lower(*model, test::model_images(3, 1));
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"conv2d", "conv1"},    {"max_pool2d", "pool1"}, {"conv2d", "conv2"}, {"max_pool2d", "pool2"},
      {"reshape", "flatten"}, {"linear", "fc1"},       {"linear", "fc2"},   {"linear", "fc3"}};
  REQUIRE(graph.ops.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(name_of(graph.ops[i]) == expected[i].first);
    CHECK(graph.ops[i].layer == expected[i].second);
    CHECK(graph.ops[i].inputs == std::vector{static_cast<int>(i)});
  }
  CHECK(graph.input.shape == Shape{28, 28, 1});
  CHECK(graph.ops[0].output.shape == Shape{28, 28, 6});
  CHECK(graph.ops[3].output.shape == Shape{5, 5, 16});
  CHECK(graph.ops[7].output.accumulators());
}

TEST_CASE("folding: M and O by hand") {
  // s_x = 0.5, s_w = 0.25, s_out = 2, Z_out = 3; bias 4, gamma -3, beta 5, mean 1,
  // variance 8 with epsilon 1, so g = -3 / 3 = -1: M = 0.5 * 0.25 * -1 / 2 and
  // O = (4 * -1 + 5 - 1 * -1) / 2 + 3.
  TwoProducts net;
  const Graph graph = lower(net, Tensor({1, 2, 2, 1}, 0.0f));
  const auto& conv = std::get<Conv2d>(graph.ops[0].what);
  CHECK(conv.weight.codes == std::vector<std::int8_t>{3});
  CHECK(conv.multiplier == std::vector{-0.0625f});
  CHECK(conv.offset == std::vector{4.0f});
  CHECK(graph.ops[0].output.grid == Grid{3, 15});  // relu
  CHECK(graph.ops[0].output.zero == 3);
  const auto& logits = std::get<Conv2d>(graph.ops[1].what);
  CHECK(logits.weight.codes == std::vector<std::int8_t>{7});  // 1 / 0.125 is beyond the grid
  CHECK(logits.multiplier == std::vector{0.25f});
  CHECK(logits.offset == std::vector{0.0f});
}

TEST_CASE("lowering refuses what has no codes, and names the layers") {
  const auto model = test::quantized_model("lenet5", false);
  SUBCASE("no quantizers at all") {
    quant::set_mode(*model, quant::Quantizer::Mode::off);
    CHECK(fails_with(*model, "conv2d in layer \"conv1\" reads the image, which leaves no codes"));
  }
  SUBCASE("an activation without a quantizer") {
    slot(*model, "relu2.output_q").clear();
    CHECK(fails_with(*model, "max_pool2d in layer \"pool2\" reads relu in layer \"relu2\""));
  }
  SUBCASE("a weight without a quantizer") {
    slot(*model, "fc2.weight_q").clear();
    CHECK(fails_with(*model, "linear in layer \"fc2\" has a weight without codes"));
  }
}

TEST_CASE("lowering refuses one quantizer too many") {
  const auto model = test::quantized_model("lenet5", false);
  SUBCASE("two behind a weight") {
    struct Twice final : nn::Transform {
      explicit Twice(nn::Transform& quantizer) : quantizer(quantizer) {}
      Var operator()(const Var& x) override { return quantizer(quantizer(x)); }
      nn::Transform& quantizer;
    };
    nn::Slot& weight = slot(*model, "conv2.weight_q");
    const std::shared_ptr<nn::Transform> once = weight.exchange(nullptr);
    weight.fill(std::make_shared<Twice>(*once));
    CHECK(fails_with(*model,
                     "fake_quant in layer \"conv2\" quantizes what has codes already: "
                     "fake_quant in layer \"conv2\""));
  }
  SUBCASE("one behind the last layer") {
    lend(slot(*model, "fc3.output_q"), slot(*model, "relu4.output_q"));
    CHECK(fails_with(*model, "does not end in accumulators: got fake_quant in layer \"fc3\""));
  }
}

TEST_CASE("lowering refuses ops it does not know, and training mode") {
  struct Exp final : nn::Module {
    Var forward(const Var& x) override { return op::exp(x); }
    void visit(nn::Visitor&) override {}
    std::string_view kind() const override { return "Exp"; }
  } exp;
  CHECK(fails_with(exp, "exp in layer \"\" has no integer form"));
  const auto model = test::quantized_model("lenet5", false);
  const TrainingStep step({1, 0, 0});
  CHECK(fails_with(*model, "inside a training step"));
}

}  // namespace fraqat::lower_test
