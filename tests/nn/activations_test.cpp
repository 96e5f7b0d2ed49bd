#include "nn/activations.hpp"

#include "tests/support/layers.hpp"

namespace fraqat::activations_test {
namespace {

// The layer, its name, and the op that it is.
template <class Layer>
void check_activation(Layer layer, std::string_view kind, const std::function<Var(const Var&)>& f) {
  INFO(std::string(kind));
  const Tensor x = test::away_from({-3, 0, 3, 6}, test::normal({3, 7}));
  CHECK(layer->kind() == kind);
  CHECK(test::numbers((*layer)(Var(x)).value()) == test::numbers(f(Var(x)).value()));
  test::gradcheck([&](std::span<const Var> in) { return (*layer)(in[0]); }, {x});
  CHECK(nn::parameters(*layer).empty());
  REQUIRE(nn::slots(*layer).size() == 1);
  CHECK(nn::slots(*layer)[0].name == "output_q");
  layer->output_q.fill(std::make_shared<test::Offset>(Real(100)));
  CHECK((*layer)(Var(x)).value()[0] == f(Var(x)).value()[0] + 100);
}

}  // namespace

TEST_CASE("activations: each is its op behind a slot") {
  check_activation(std::make_unique<nn::Relu>(), "Relu", op::relu);
  check_activation(std::make_unique<nn::Relu6>(), "Relu6", op::relu6);
  check_activation(std::make_unique<nn::Sigmoid>(), "Sigmoid", op::sigmoid);
  check_activation(std::make_unique<nn::Tanh>(), "Tanh", op::tanh);
  check_activation(std::make_unique<nn::Silu>(), "Silu", op::silu);
  check_activation(std::make_unique<nn::Hardswish>(), "Hardswish", op::hardswish);
  check_activation(std::make_unique<nn::LeakyRelu>(), "LeakyRelu",
                   [](const Var& x) { return op::leaky_relu(x); });
  check_activation(std::make_unique<nn::Gelu>(), "Gelu",
                   [](const Var& x) { return op::gelu(x, op::GeluForm::erf); });
  check_activation(std::make_unique<nn::Softplus>(), "Softplus",
                   [](const Var& x) { return op::softplus(x, 1, 20); });
}

TEST_CASE("activations: the numbers of a function are the layer's arguments") {
  check_activation(std::make_unique<nn::LeakyRelu>(Real(0.25)), "LeakyRelu",
                   [](const Var& x) { return op::leaky_relu(x, Real(0.25)); });
  check_activation(std::make_unique<nn::Gelu>(op::GeluForm::tanh), "Gelu",
                   [](const Var& x) { return op::gelu(x, op::GeluForm::tanh); });
  check_activation(std::make_unique<nn::Softplus>(Real(2), Real(3)), "Softplus",
                   [](const Var& x) { return op::softplus(x, 2, 3); });
}

}  // namespace fraqat::activations_test
