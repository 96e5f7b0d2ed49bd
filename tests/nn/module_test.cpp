#include "nn/module.hpp"

#include <doctest/doctest.h>

#include "nn/containers.hpp"
#include "nn/layers.hpp"

namespace fraqat::module_test {
namespace {

// Twice its input; owns a parameter and a buffer, as a quantizer does.
struct Double final : nn::Transform {
  Var step{Tensor({1}, Real(2)), true};
  Tensor range{{1}, Real(0)};

  Var operator()(const Var& x) override { return op::mul(x, step); }
  void visit(nn::Visitor& visitor) override {
    visitor.parameter("step", step);
    visitor.buffer("range", range);
  }
};

// features: conv, bn, relu; classifier: linear without bias.
struct Network {
  nn::Sequential root;
  nn::Conv2d* conv;
  nn::Linear* linear;

  Network() {
    nn::Initializer init(1);
    auto& features = root.add(std::make_unique<nn::Sequential>(), "features");
    conv = &features.add(std::make_unique<nn::Conv2d>(1, 2, 3, init));
    features.add(std::make_unique<nn::BatchNorm2d>(2));
    features.add(std::make_unique<nn::Relu>());
    root.add(std::make_unique<nn::Flatten>());
    linear = &root.add(std::make_unique<nn::Linear>(8, 3, init, false), "classifier");
    nn::name_modules(root);
  }
};

template <class T>
std::vector<std::string> names(const std::vector<nn::Named<T>>& named) {
  std::vector<std::string> all;
  for (const auto& [name, item] : named) all.push_back(name);
  return all;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("module: everything is reached by its dotted name, in order") {
  Network network;
  CHECK(names(nn::modules(network.root)) ==
        Names{"", "features", "features.0", "features.1", "features.2", "1", "classifier"});
  CHECK(names(nn::parameters(network.root)) == Names{"features.0.weight", "features.0.bias",
                                                     "features.1.weight", "features.1.bias",
                                                     "classifier.weight"});
  CHECK(names(nn::buffers(network.root)) ==
        Names{"features.1.running_mean", "features.1.running_var"});
  CHECK(names(nn::slots(network.root)) == Names{"features.0.input_q", "features.0.weight_q",
                                                "features.0.output_q", "features.1.output_q",
                                                "features.2.output_q", "classifier.input_q",
                                                "classifier.weight_q", "classifier.output_q"});
}

TEST_CASE("module: name_modules writes paths and parameter names") {
  Network network;
  CHECK(network.root.path().empty());
  CHECK(network.conv->path() == "features.0");
  CHECK(network.conv->weight.name() == "features.0.weight");
  CHECK(network.linear->weight.name() == "classifier.weight");
}

TEST_CASE("module: what fills a slot is shown under the slot's name") {
  Network network;
  network.conv->weight_q.fill(std::make_shared<Double>());
  CHECK(names(nn::parameters(network.root)) ==
        Names{"features.0.weight", "features.0.weight_q.step", "features.0.bias",
              "features.1.weight", "features.1.bias", "classifier.weight"});
  CHECK(names(nn::buffers(network.root))[0] == "features.0.weight_q.range");
}

TEST_CASE("module: found items are the module's own") {
  Network network;
  for (const auto& [name, parameter] : nn::parameters(network.root))
    if (name == "classifier.weight") CHECK(parameter == &network.linear->weight);
  CHECK(&nn::module_at(network.root, "features.0") == network.conv);
  CHECK(&nn::module_at(network.root, "") == &network.root);
}

TEST_CASE("module: variables are the parameters themselves") {
  Network network;
  const std::vector<Var> variables = nn::variables(network.root);
  const auto named = nn::parameters(network.root);
  REQUIRE(variables.size() == named.size());
  for (std::size_t i = 0; i < named.size(); ++i) CHECK(variables[i].id() == named[i].item->id());
}

TEST_CASE("module: a wrong path lists what there is") {
  Network network;
  CHECK_THROWS_WITH_AS(nn::module_at(network.root, "features.3"),
                       "[module] no such layer: got \"features.3\"; expected one of features, "
                       "features.0, features.1, features.2, 1, classifier",
                       Error);
}

TEST_CASE("module: nodes carry the path of the layer that applied them") {
  Network network;
  Tape tape(Tape::Records::graph);
  network.root(Var(Tensor({1, 4, 4, 1}, Real(1))));
  std::vector<std::string> layers;
  for (const auto& node : tape.nodes())
    layers.push_back(std::string(node->op()) + " " + std::string(node->layer()));
  CHECK(layers == Names{"conv2d features.0", "batch_norm features.1", "relu features.2",
                        "reshape 1", "linear classifier"});
}

TEST_CASE("slot: the identity until filled, and again when cleared") {
  nn::Slot slot;
  const Var x(Tensor({2}, Real(3)));
  CHECK_FALSE(slot);
  CHECK(slot(x).id() == x.id());
  const auto transform = std::make_shared<Double>();
  slot.fill(transform);
  CHECK(slot);
  CHECK(slot.get() == transform.get());
  CHECK(slot(x).value()[0] == 6);
  slot.clear();
  CHECK_FALSE(slot);
  CHECK(slot(x).id() == x.id());
}

}  // namespace fraqat::module_test
