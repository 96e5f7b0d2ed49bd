#include "quant/deploy/verify.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "quant/deploy/lower.hpp"
#include "quant/deploy/packed.hpp"
#include "tests/deploy/quantized_model.hpp"
#include "tests/deploy/random_graph.hpp"

namespace fraqat::verify_test {

using namespace fraqat::deploy;

namespace {

/// `count` images in batches of 16; labels are what `graph` predicts, but for
/// every fifth, which is wrong.
Batches batches_for(const Graph& graph, Index count) {
  return [graph, count, done = Index{0}](Batch& batch) mutable {
    if (done == count) return false;
    const Index n = std::min<Index>(16, count - done);
    batch.images = test::model_images(n, static_cast<std::uint64_t>(done + 1));
    const std::vector<Index> predicted = predictions(evaluate(graph, batch.images));
    batch.labels = Tensor({n});
    for (Index i = 0; i < n; ++i)
      batch.labels[i] =
          static_cast<float>((predicted[static_cast<std::size_t>(i)] + ((done + i) % 5 == 0)) % 10);
    done += n;
    return true;
  };
}

/// What a forger does: changes the file and repairs every checksum.
Graph reread(const Graph& graph) {
  ModelInfo info{"m", "d", std::vector<std::string>(10, "c"), {0}, {1}};
  return unpack(pack(graph, info), "forged").graph;
}

}  // namespace

TEST_CASE("verify: engine, evaluated graph and module agree") {
  for (const char* name : {"lenet5-bn", "tiny-resnet"}) {
    const auto model = test::quantized_model(name, true);
    const Graph graph = lower(*model, test::model_images(1, 1));
    const Graph file = reread(graph);
    const Verification result = verify(file, &graph, model.get(), batches_for(graph, 40));
    CHECK(result.samples == 40);
    CHECK(result.passed());
    CHECK(result.different_integers() == 0);
    CHECK(!result.first);
    CHECK(result.graph_differences.empty());
    CHECK(result.layers.size() == graph.ops.size() + 1);
    Index elements = 0;
    for (int i = 0; i <= static_cast<int>(graph.ops.size()); ++i)
      elements += graph.value(i).shape.size();
    CHECK(result.integers() == 40 * elements);
    CHECK(result.engine_correct == 32);
    CHECK(result.engine_accuracy() == 0.8);
    CHECK(result.has_module);
    CHECK(std::abs(result.module_correct - 32) <= result.different_predictions);
    for (const LayerCount& layer : result.layers) CHECK(layer.followed());
  }
}

TEST_CASE("verify: learned zero-points are deployed as they are trained, whole") {
  const auto model = models::make("tiny-resnet", {28, 28, 1}, 10, 3);
  quant::Spec spec;
  spec.weight.start = spec.activation.start = 5;
  spec.activation.affine = true;
  quant::quantize(*model, test::model_images(8, 1), spec);
  int moved = 0;
  for (quant::Quantizer* q : quant::quantizers(*model))
    if (const auto learned = q->range().parameters(); learned.size() == 2) {
      Var share = learned[1];
      for (Real& z : share.value().span()) z += Real(2.7) / 31;  // 2.7 codes further on
      ++moved;
    }
  CHECK(moved > 0);
  const Graph graph = lower(*model, test::model_images(1, 1));
  int away = 0;
  for (int i = 1; i <= static_cast<int>(graph.ops.size()); ++i) away += graph.value(i).zero >= 3;
  CHECK(away >= moved);
  CHECK(verify(reread(graph), &graph, model.get(), batches_for(graph, 40)).passed());
}

TEST_CASE("verify finds one altered code, though every checksum is right") {
  const auto model = test::quantized_model("lenet5-bn", false);
  const Graph graph = lower(*model, test::model_images(1, 1));
  Graph forged = graph;
  auto& code = std::get<Conv2d>(forged.ops[2].what).weight.codes[77];
  const int before = code;
  code = static_cast<std::int8_t>(before > 0 ? before - 1 : before + 1);
  const Verification result = verify(reread(forged), &graph, model.get(), batches_for(graph, 20));
  CHECK(!result.passed());
  CHECK(result.different_integers() > 0);
  CHECK(result.layers[1].different == 0);  // conv1 and pool1 come before
  CHECK(result.layers[2].different == 0);
  CHECK(result.layers[3].different > 0);
  REQUIRE(result.first.has_value());
  CHECK(result.first->layer == "conv2");
  CHECK(result.first->evaluated != result.first->engine);
  REQUIRE(result.graph_differences.size() == 1);
  CHECK(result.graph_differences[0] ==
        "conv2: 1 of 2400 weight codes differ, the first at 77: got " + std::to_string(+code) +
            " in the file; expected " + std::to_string(before));
}

TEST_CASE("verify finds one altered offset, even where it changes no code") {
  const auto model = test::quantized_model("lenet5-bn", false);
  const Graph graph = lower(*model, test::model_images(1, 1));
  for (const float step : {2.0f, 1e-6f}) {
    Graph forged = graph;
    float& offset = std::get<Linear>(forged.ops[5].what).offset[3];
    offset += step * (1 + std::abs(offset));
    const Verification result = verify(reread(forged), &graph, nullptr, batches_for(graph, 20));
    CHECK(!result.passed());
    CHECK(!result.has_module);
    REQUIRE(result.graph_differences.size() == 1);
    CHECK(result.graph_differences[0].starts_with("fc1: 1 of 120 offsets differ, the first at 3"));
    if (step == 2.0f) {
      REQUIRE(result.first.has_value());
      CHECK(result.first->layer == "fc1");
      CHECK(result.first->position == 3);
    }
  }
}

TEST_CASE("verify: a graph of other ops is told, not run against") {
  const auto model = test::quantized_model("lenet5", false);
  const Graph graph = lower(*model, test::model_images(1, 1));
  Graph other = graph;
  std::get<MaxPool2d>(other.ops[1].what).padding = 0;
  std::get<Conv2d>(other.ops[0].what).padding = 1;
  const auto differences = graph_differences(other, graph);
  REQUIRE(differences.size() == 1);
  CHECK(differences[0] == "conv1: attributes or constants differ");

  const auto resnet = test::quantized_model("tiny-resnet", false);
  const Graph reference = lower(*resnet, test::model_images(1, 1));
  const Verification result = verify(graph, &reference, nullptr, batches_for(graph, 3));
  CHECK(!result.passed());
  CHECK(result.different_integers() == 0);
  REQUIRE(result.graph_differences.size() == 1);
  CHECK(result.graph_differences[0].starts_with("graph: got 8 ops in the file; expected 1"));
}

TEST_CASE("verify: another network's predictions are too many differences") {
  const auto model = test::quantized_model("lenet5", false);
  const auto other = test::quantized_model("mlp", false);
  const Graph graph = lower(*model, test::model_images(1, 1));
  const Verification result = verify(graph, nullptr, other.get(), batches_for(graph, 20));
  CHECK(result.different_integers() == 0);
  CHECK(result.different_predictions > result.allowed_predictions());
  CHECK(!result.passed());
}

TEST_CASE(
    "verify: a layer that was lowered to something else is found where it is, and only there") {
  const auto model = test::quantized_model("tiny-resnet", true);
  const Graph graph = lower(*model, test::model_images(1, 1));
  for (const float wrong : {1.02f, 1.5f}) {  // file and checkpoint agree, the module does not
    Graph forged = graph;
    std::size_t at = 0;
    while (!std::holds_alternative<Add>(forged.ops[at].what)) ++at;
    std::get<Add>(forged.ops[at].what).first *= wrong;
    const Graph file = reread(forged);
    const Verification result = verify(file, &file, model.get(), batches_for(forged, 20));
    CHECK(result.different_integers() == 0);
    CHECK(result.graph_differences.empty());
    CHECK(!result.passed());
    for (std::size_t i = 0; i < result.layers.size(); ++i) {
      CAPTURE(i);
      CHECK(result.layers[i].followed() == (i != at + 1));
    }
    CHECK(result.off_codes() >= result.layers[at + 1].off);
    if (wrong == 1.5f) CHECK(result.layers[at + 1].far > 0);
  }
}

TEST_CASE("verify: the module has its quantizers back") {
  const auto model = test::quantized_model("lenet5", false);
  const std::vector<quant::Quantizer*> before = quant::quantizers(*model);
  const Graph graph = lower(*model, test::model_images(1, 1));
  CHECK(verify(graph, nullptr, model.get(), batches_for(graph, 3)).passed());
  CHECK(quant::quantizers(*model) == before);
}

TEST_CASE("verification: what is allowed") {
  Verification result;
  CHECK(!result.passed());  // no samples
  result.samples = 10000;
  CHECK(result.passed());
  CHECK(result.allowed_predictions() == 10);
  result.has_module = true;
  result.different_predictions = 10;
  result.engine_correct = 9000;
  result.module_correct = 9010;
  CHECK(result.passed());
  result.module_correct = 9011;
  CHECK(!result.passed());
  result.module_correct = 9000;
  result.different_predictions = 11;
  CHECK(!result.passed());
  result.different_predictions = 0;
  result.layers = {{"conv2d", "a", 5000, 0, 5, 0}, {"linear", "b", 5, 0, 1, 0}};
  CHECK(result.passed());
  CHECK(result.off_codes() == 6);
  result.layers[0].off = 6;
  CHECK(!result.passed());
  result.layers[0].off = 5;
  result.layers[0].far = 1;
  CHECK(!result.passed());
  result.has_module = false;
  CHECK(result.passed());
  result.layers = {{"conv2d", "a", 5, 0}, {"linear", "b", 5, 1}};
  CHECK(!result.passed());
  result.samples = 40;
  CHECK(result.allowed_predictions() == 1);
}

TEST_CASE("graph differences name every part") {
  const Graph graph = test::random_graph(3);
  CHECK(graph_differences(graph, graph).empty());
  Graph other = graph;
  other.input.scale *= 2;
  other.input.zero += 1;
  other.ops.back().layer += '!';
  const auto differences = graph_differences(other, graph);
  REQUIRE(differences.size() == 3);
  CHECK(differences[0].starts_with("image: output scale: got "));
  CHECK(differences[1].starts_with("image: zero-point: got "));
  CHECK(differences[2].find("! in the file") != std::string::npos);
}

}  // namespace fraqat::verify_test
