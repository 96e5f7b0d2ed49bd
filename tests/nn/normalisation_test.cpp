#include "nn/normalisation.hpp"

#include <cmath>

#include "tests/support/golden.hpp"
#include "tests/support/layers.hpp"

namespace fraqat::normalisation_test {
namespace {

std::vector<std::string> parameter_names(nn::Module& layer) {
  std::vector<std::string> names;
  for (const auto& [name, parameter] : nn::parameters(layer)) names.push_back(name);
  return names;
}

test::Function in_training(nn::Module& layer) {
  return [&layer](std::span<const Var> x) {
    TrainingStep step({});
    return layer(x[0]);
  };
}

}  // namespace

TEST_CASE("batch norm 1d: rows and sequences, channels last") {
  nn::BatchNorm1d layer(3);
  CHECK(parameter_names(layer) == std::vector<std::string>{"weight", "bias"});
  CHECK(nn::buffers(layer).size() == 2);
  test::check_layer(layer, {{5, 3}}, in_training(layer));
  test::check_layer(layer, {{2, 4, 3}}, in_training(layer));
  // [N, L, C] is [N L, C]: channels do not care where a number stands.
  nn::BatchNorm1d rows(3), sequence(3);
  const Tensor x = test::normal({2, 4, 3});
  TrainingStep step({});
  CHECK(test::numbers(rows(Var(x.reshape({8, 3}))).value()) ==
        test::numbers(sequence(Var(x)).value()));
  CHECK(test::numbers(rows.state.variance) == test::numbers(sequence.state.variance));
}

TEST_CASE("batch norm 1d: an image is refused") {
  nn::BatchNorm1d layer(3);
  CHECK_THROWS_WITH_AS(layer(Var(Tensor({2, 4, 4, 3}, Real(0)))),
                       "[BatchNorm1d] wrong rank: got x [2, 4, 4, 3]; expected x[N, C] or "
                       "x[N, L, C]; try BatchNorm2d for images",
                       Error);
  CHECK_THROWS_AS(layer(Var(Tensor({3}, Real(0)))), Error);
}

TEST_CASE("layer norm: shapes, gradient, PyTorch") {
  nn::LayerNorm layer(7), two(Shape{3, 7});
  CHECK(parameter_names(layer) == std::vector<std::string>{"weight", "bias"});
  CHECK(two.gamma.shape() == Shape{3, 7});
  for (nn::Module* norm : {static_cast<nn::Module*>(&layer), static_cast<nn::Module*>(&two)})
    test::check_layer(*norm, {{2, 3, 7}}, [norm](std::span<const Var> x) { return (*norm)(x[0]); });
  test::as_pytorch("layer_norm/last", test::with_parameters(layer), 1e-5, 1e-5);
  test::as_pytorch("layer_norm/two", test::with_parameters(two), 1e-5, 1e-5);
  CHECK_THROWS_WITH_AS(layer(Var(Tensor({2, 6}, Real(0)))),
                       doctest::Contains("[layer_norm] shapes do not fit: got x [2, 6]"), Error);
}

TEST_CASE("layer norm: each sample by itself, in training and outside") {
  nn::LayerNorm layer(4);
  const Tensor x = test::normal({3, 4});
  const auto outside = test::numbers(layer(Var(x)).value());
  TrainingStep step({});
  CHECK(test::numbers(layer(Var(x)).value()) == outside);
}

TEST_CASE("group norm: shapes, gradient, PyTorch, groups that do not divide") {
  nn::GroupNorm layer(2, 6);
  CHECK(parameter_names(layer) == std::vector<std::string>{"weight", "bias"});
  test::check_layer(layer, {{2, 2, 3, 6}}, [&](std::span<const Var> x) { return layer(x[0]); });
  test::as_pytorch("group_norm/two-groups", test::with_parameters(layer), 1e-5, 1e-5);
  CHECK_THROWS_WITH_AS(nn::GroupNorm(4, 6),
                       "[GroupNorm] channels do not divide into groups: got 6 channels, 4 groups; "
                       "expected a multiple of it",
                       Error);
}

TEST_CASE("norms: the slots are passed") {
  nn::LayerNorm layer(2);
  nn::GroupNorm group(1, 2);
  const Var x(Tensor({1, 2}, std::array<Real, 2>{-1, 1}));
  for (nn::Slot* slot : {&layer.output_q, &group.output_q})
    slot->fill(std::make_shared<test::Offset>(Real(100)));
  CHECK(double(layer(x).value()[1]) == doctest::Approx(101).epsilon(1e-5));
  CHECK(double(group(x).value()[1]) == doctest::Approx(101).epsilon(1e-5));
  for (nn::Slot* slot : {&layer.weight_q, &group.weight_q})
    slot->fill(std::make_shared<test::Offset>(Real(1)));
  CHECK(double(layer(x).value()[1]) == doctest::Approx(102).epsilon(1e-5));
  CHECK(double(group(x).value()[1]) == doctest::Approx(102).epsilon(1e-5));
}

}  // namespace fraqat::normalisation_test
