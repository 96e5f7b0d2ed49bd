#include "nn/layers.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <vector>

namespace fraqat::layers_test {
namespace {

std::vector<Real> list(const Tensor& t) { return {t.data(), t.data() + t.size()}; }

Tensor normal(const Shape& shape, std::uint64_t seed = 1) {
  Tensor t(shape);
  fill_normal(t, Philox(seed, Stream::synthetic));
  return t;
}

// Replaces a tensor by x + amount, so that an output tells which slots it passed.
struct Shift final : nn::Transform {
  Real amount;
  explicit Shift(Real amount) : amount(amount) {}
  Var operator()(const Var& x) override { return op::add(x, Var(Tensor({1}, amount))); }
};

}  // namespace

TEST_CASE("linear: the op of its weight and bias, through three slots") {
  nn::Initializer init(1);
  nn::Linear layer(3, 2, init);
  CHECK(layer.weight.shape() == Shape{2, 3});
  CHECK(layer.bias.shape() == Shape{2});
  CHECK(layer.weight.wants_grad());
  const Var x(normal({4, 3}));
  CHECK(list(layer(x).value()) == list(op::linear(x, layer.weight, layer.bias).value()));
  layer.weight.value() = Tensor({2, 3}, std::array<Real, 6>{1, 0, 0, 0, 2, 0});
  layer.bias.value() = Tensor({2}, std::array<Real, 2>{10, 20});
  layer.input_q.fill(std::make_shared<Shift>(Real(1)));
  layer.weight_q.fill(std::make_shared<Shift>(Real(0.5)));
  layer.output_q.fill(std::make_shared<Shift>(Real(100)));
  // x = (1, 2, 3) + 1 = (2, 3, 4); rows (1.5, .5, .5) and (.5, 2.5, .5)
  const Var row(Tensor({1, 3}, std::array<Real, 3>{1, 2, 3}));
  CHECK(list(layer(row).value()) == std::vector<Real>{116.5, 130.5});
}

TEST_CASE("linear and conv2d: initial weights as PyTorch's, without bias if asked") {
  nn::Initializer init(1);
  const nn::Linear linear(400, 100, init, false);
  CHECK_FALSE(linear.bias);
  for (const Real v : linear.weight.value().span()) REQUIRE(std::abs(v) <= Real(0.05));
  const nn::Conv2d conv(8, 30, 5, init, {1, 0, 1, 2});
  CHECK(conv.weight.shape() == Shape{30, 5, 5, 4});
  for (const Real v : conv.weight.value().span()) REQUIRE(std::abs(v) <= Real(0.1));
  for (const Real v : conv.bias.value().span()) REQUIRE(std::abs(v) <= Real(0.1));
}

TEST_CASE("conv2d: the op of its options; groups must divide") {
  nn::Initializer init(1);
  nn::Conv2d layer(2, 3, 3, init, {2, 1, 1, 1});
  const Var x(normal({1, 5, 5, 2}));
  const Tensor y = layer(x).value();
  CHECK(y.shape() == Shape{1, 3, 3, 3});
  CHECK(list(y) == list(op::conv2d(x, layer.weight, layer.bias, {2, 1, 1, 1}).value()));
  CHECK_THROWS_WITH_AS(nn::Conv2d(3, 4, 3, init, {1, 0, 1, 2}),
                       "[Conv2d] channels do not divide into groups: got 3 in, 4 out, 2 groups; "
                       "expected both to be multiples of it",
                       Error);
}

TEST_CASE("batch norm: the batch's statistics inside a training step, the running ones outside") {
  nn::BatchNorm2d layer(1);
  const Var x(Tensor({2, 1, 1, 1}, std::array<Real, 2>{1, 5}));  // mean 3, variance 4
  const Real before = layer(x).value()[0];
  CHECK(double(before) == doctest::Approx(1).epsilon(1e-4));  // mean 0, variance 1
  CHECK(layer.state.mean[0] == 0);
  {
    TrainingStep step({});
    CHECK(double(layer(x).value()[0]) == doctest::Approx(-1).epsilon(1e-4));
  }
  // A tenth of the way to mean 3 and unbiased variance 8.
  CHECK(double(layer.state.mean[0]) == doctest::Approx(0.3).epsilon(1e-5));
  CHECK(double(layer.state.variance[0]) == doctest::Approx(1.7).epsilon(1e-5));
  CHECK(double(layer(x).value()[0]) == doctest::Approx(0.7 / std::sqrt(1.7)).epsilon(1e-4));
  TrainingStep re_estimation({}, false);  // without noise, but with batch statistics
  CHECK(double(layer(x).value()[0]) == doctest::Approx(-1).epsilon(1e-4));
}

TEST_CASE("dropout: only in a training step with noise") {
  nn::Dropout layer(Real(0.5));
  const Var x(Tensor({1, 64}, Real(1)));
  CHECK(layer(x).id() == x.id());
  TrainingStep step({});
  CHECK(list(layer(x).value()) != list(x.value()));
}

TEST_CASE("layers without parameters are their ops") {
  const Var x(normal({2, 4, 4, 3}));
  nn::Relu relu;
  nn::MaxPool2d max_pool;
  nn::AvgPool2d avg_pool({2, 1, 1});
  nn::GlobalAvgPool global;
  nn::Flatten flatten;
  CHECK(list(relu(x).value()) == list(op::relu(x).value()));
  CHECK(list(max_pool(x).value()) == list(op::max_pool2d(x).value()));
  CHECK(list(avg_pool(x).value()) == list(op::avg_pool2d(x, {2, 1, 1}).value()));
  CHECK(list(global(x).value()) == list(op::global_avg_pool(x).value()));
  CHECK(flatten(x).shape() == Shape{2, 48});
}

TEST_CASE("output slots of activations, pools and norms are passed") {
  const Var x(Tensor({1, 2, 2, 1}, Real(1)));
  const auto shift = std::make_shared<Shift>(Real(100));
  nn::Relu relu;
  relu.output_q.fill(shift);
  CHECK(relu(x).value()[0] == 101);
  nn::AvgPool2d avg_pool;
  avg_pool.output_q.fill(shift);
  CHECK(avg_pool(x).value()[0] == 101);
  nn::GlobalAvgPool global;
  global.output_q.fill(shift);
  CHECK(global(x).value()[0] == 101);
  nn::BatchNorm2d norm(1);
  norm.output_q.fill(shift);
  CHECK(double(norm(x).value()[0]) == doctest::Approx(101).epsilon(1e-5));
}

TEST_CASE("pad shortcut: every stride-th pixel, zero channels on both sides") {
  Tensor x({1, 3, 3, 1});
  for (Index i = 0; i < 9; ++i) x[i] = Real(i + 1);
  nn::PadShortcut layer(2, 1, 2);
  const Tensor y = layer(Var(x)).value();
  CHECK(y.shape() == Shape{1, 2, 2, 4});
  CHECK(list(y) == std::vector<Real>{0, 1, 0, 0, 0, 3, 0, 0, 0, 7, 0, 0, 0, 9, 0, 0});
}

}  // namespace fraqat::layers_test
