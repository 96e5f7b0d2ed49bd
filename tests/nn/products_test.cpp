#include "nn/layers.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/layers.hpp"

namespace fraqat::products_test {

TEST_CASE("linear: rows of any shape") {
  nn::Initializer init(1);
  nn::Linear layer(3, 2, init);
  const Tensor x = test::normal({2, 4, 3});
  const Tensor y = layer(Var(x)).value();
  CHECK(y.shape() == Shape{2, 4, 2});
  CHECK(test::numbers(y) == test::numbers(layer(Var(x.reshape({8, 3}))).value()));
  test::check_layer(layer, {{2, 2, 2, 3}}, [&](std::span<const Var> in) { return layer(in[0]); });
  layer.input_q.fill(std::make_shared<test::Offset>(Real(100)));
  layer.output_q.fill(std::make_shared<test::Offset>(Real(1000)));
  CHECK(double(layer(Var(x)).value()[0]) > 900 + double(y[0]) - 1000);
  CHECK_THROWS_WITH_AS(layer(Var(Tensor({2, 4, 5}, Real(0)))),
                       "[Linear] inner sizes differ: got x [2, 4, 5], weight [2, 3]; expected "
                       "x[..., in] and weight[out, in]",
                       Error);
}

TEST_CASE("conv_transpose2d layer: shapes, gradient, PyTorch") {
  nn::Initializer init(1);
  nn::ConvTranspose2d layer(3, 4, 3, init, {2, 1, 1, 1, 1});
  CHECK(layer.weight.shape() == Shape{3, 3, 3, 4});
  CHECK(layer.bias.shape() == Shape{4});
  CHECK(layer(Var(test::normal({2, 4, 3, 3}))).shape() == Shape{2, 8, 6, 4});
  CHECK(nn::slots(layer).size() == 3);
  test::as_pytorch("conv_transpose2d/strided", test::with_parameters(layer), 1e-5, 1e-5);
  nn::ConvTranspose2d small(2, 4, 2, init, {2, 0, 0, 1, 2});
  CHECK(small.weight.shape() == Shape{2, 2, 2, 2});
  test::check_layer(small, {{2, 2, 3, 2}}, [&](std::span<const Var> x) { return small(x[0]); });
  const nn::ConvTranspose2d plain(2, 4, 2, init, {}, false);
  CHECK_FALSE(plain.bias);
}

TEST_CASE("conv_transpose2d layer: initial weights as PyTorch's; groups must divide") {
  nn::Initializer init(1);
  const nn::ConvTranspose2d layer(2, 8, 5, init, {1, 0, 0, 1, 2});
  // fan_in = 5 * 5 * 8 / 2 = 100
  for (const Real v : layer.weight.value().span()) REQUIRE(std::abs(v) <= Real(0.1));
  for (const Real v : layer.bias.value().span()) REQUIRE(std::abs(v) <= Real(0.1));
  CHECK_THROWS_WITH_AS(nn::ConvTranspose2d(3, 4, 3, init, {1, 0, 0, 1, 2}),
                       "[ConvTranspose2d] channels do not divide into groups: got 3 in, 4 out, 2 "
                       "groups; expected both to be multiples of it",
                       Error);
}

TEST_CASE("embedding: rows of the weight, gradient, PyTorch") {
  nn::Initializer init(1);
  nn::Embedding layer(5, 3, init);
  CHECK(layer.weight.shape() == Shape{5, 3});
  const Tensor words({2, 4}, std::array<Real, 8>{4, 0, 0, 1, 2, 2, 2, 3});
  CHECK(layer(Var(words)).shape() == Shape{2, 4, 3});
  const auto lookup = [&](std::span<const Var> in) {
    layer.weight = in[0];
    return layer(in.size() > 1 ? in[1] : Var(words));
  };
  test::as_pytorch("gather/embedding", lookup);
  test::gradcheck(lookup, {test::normal({5, 3})});
  test::same_bits_for_any_threads(lookup, {test::normal({5, 3})});
}

TEST_CASE("embedding: what is no row is refused") {
  nn::Initializer init(1);
  nn::Embedding layer(5, 3, init);
  CHECK_THROWS_WITH_AS(layer(Var(Tensor({1, 2}, std::array<Real, 2>{0, 5}))),
                       doctest::Contains("at index 1: got 5; expected a whole number in [0, 5)"),
                       Error);
  CHECK_THROWS_WITH_AS(layer(Var(Tensor({1, 1, 1, 1, 1}, Real(0)))),
                       "[Embedding] too many dimensions: got x [1, 1, 1, 1, 1]; expected at most 4",
                       Error);
}

TEST_CASE("embedding: initial weights are standard normal") {
  nn::Initializer init(1);
  const nn::Embedding layer(100, 100, init);
  double sum = 0, squares = 0;
  for (const Real v : layer.weight.value().span()) {
    sum += double(v);
    squares += double(v) * double(v);
  }
  CHECK(std::abs(sum / 1e4) < 0.05);
  CHECK(squares / 1e4 == doctest::Approx(1).epsilon(0.05));
}

TEST_CASE("adaptive average pool: its op behind a slot") {
  nn::AdaptiveAvgPool2d layer(3, 4);
  const Var x(test::normal({2, 5, 7, 3}));
  CHECK(test::numbers(layer(x).value()) == test::numbers(op::adaptive_avg_pool2d(x, 3, 4).value()));
  test::as_pytorch("adaptive_avg_pool2d/uneven",
                   [&](std::span<const Var> in) { return layer(in[0]); });
  layer.output_q.fill(std::make_shared<test::Offset>(Real(100)));
  CHECK(layer(x).value()[0] > 50);
}

TEST_CASE("adaptive max pool: the windows of the average, against the naive loop") {
  const Tensor x = test::distinct({2, 5, 7, 3});
  const auto pool = [](std::span<const Var> in) { return nn::AdaptiveMaxPool2d(3, 4)(in[0]); };
  const Tensor y = pool(std::array{Var(x)}).value();
  REQUIRE(y.shape() == Shape{2, 3, 4, 3});
  for (Index at = 0; at < y.size(); ++at) {
    const Index c = at % 3, j = at / 3 % 4, i = at / 12 % 3, n = at / 36;
    Real largest = -1e9;
    for (Index h = i * 5 / 3; h < ((i + 1) * 5 + 2) / 3; ++h)
      for (Index w = j * 7 / 4; w < ((j + 1) * 7 + 3) / 4; ++w)
        largest = std::max(largest, x[((n * 5 + h) * 7 + w) * 3 + c]);
    REQUIRE(y[at] == largest);
  }
  test::gradcheck(pool, {x});
  test::same_bits_for_any_threads(pool, {x});
  CHECK_THROWS_WITH_AS(nn::AdaptiveMaxPool2d(0, 1)(Var(x)),
                       "[AdaptiveMaxPool2d] does not fit: got x [2, 5, 7, 3] for 0 x 1; expected "
                       "x[N, H, W, C] and 1 x 1 or more",
                       Error);
}

}  // namespace fraqat::products_test
