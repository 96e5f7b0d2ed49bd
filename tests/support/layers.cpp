#include "tests/support/layers.hpp"

namespace fraqat::test {

Function with_parameters(nn::Module& layer, std::size_t inputs, const Function& f) {
  return [&layer, inputs, f](std::span<const Var> x) {
    const auto parameters = nn::parameters(layer);
    REQUIRE(x.size() == inputs + parameters.size());
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      INFO(parameters[i].name);
      REQUIRE(parameters[i].item->shape() == x[inputs + i].shape());
      *parameters[i].item = x[inputs + i];
    }
    return f(x.first(inputs));
  };
}

Function with_parameters(nn::Module& layer) {
  return with_parameters(layer, 1, [&layer](std::span<const Var> x) { return layer(x[0]); });
}

std::vector<Tensor> inputs_of(nn::Module& layer, std::initializer_list<Shape> shapes) {
  std::vector<Tensor> inputs;
  for (const Shape& shape : shapes) inputs.push_back(normal(shape, 1 + inputs.size()));
  for (const auto& [name, parameter] : nn::parameters(layer))
    inputs.push_back(uniform(parameter->shape(), Real(-0.7), Real(0.7), 1 + inputs.size()));
  return inputs;
}

void check_layer(nn::Module& layer, std::initializer_list<Shape> shapes, const Function& f) {
  const std::vector<Tensor> inputs = inputs_of(layer, shapes);
  const Function whole = with_parameters(layer, shapes.size(), f);
  gradcheck(whole, inputs);
  same_bits_for_any_threads(whole, inputs);
}

}  // namespace fraqat::test
