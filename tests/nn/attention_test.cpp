#include "nn/attention.hpp"

#include "tests/support/golden.hpp"
#include "tests/support/layers.hpp"

namespace fraqat::attention_test {
namespace {

test::Function attended(nn::MultiHeadAttention& layer, const Tensor& mask = {}) {
  return [&layer, mask](std::span<const Var> x) {
    return x.size() == 1 ? layer(x[0], x[0], x[0], mask) : layer(x[0], x[1], x[2], mask);
  };
}

Var zero_input(const Shape& shape) { return Var(Tensor(shape, Real(0))); }

}  // namespace

TEST_CASE("attention: shapes, gradient, threads") {
  nn::Initializer init(1);
  nn::MultiHeadAttention layer(4, 2, init);
  CHECK(layer(zero_input({2, 5, 4})).shape() == Shape{2, 5, 4});
  CHECK(layer(zero_input({2, 5, 4}), zero_input({2, 3, 4}), zero_input({2, 3, 4})).shape() ==
        Shape{2, 5, 4});
  test::check_layer(layer, {{2, 3, 4}}, attended(layer));
  test::check_layer(layer, {{2, 2, 4}, {2, 3, 4}, {2, 3, 4}}, attended(layer));
  test::check_layer(layer, {{1, 3, 4}}, attended(layer, nn::causal_mask(3)));
}

TEST_CASE("attention: as PyTorch") {
  nn::Initializer init(1);
  nn::MultiHeadAttention two(4, 2, init), three(6, 3, init);
  test::as_pytorch("multi_head_attention/self-causal",
                   test::with_parameters(two, 1, attended(two, nn::causal_mask(3))), 1e-4, 3e-5);
  test::as_pytorch("multi_head_attention/cross", test::with_parameters(three, 3, attended(three)),
                   1e-4, 3e-5);
}

TEST_CASE("attention: a causal mask hides what comes later, one for each sample hides a sample's") {
  nn::Initializer init(1);
  nn::MultiHeadAttention layer(4, 2, init);
  const Tensor x = test::normal({2, 4, 4});
  Tensor later = x.clone();
  for (Index i = 12; i < 16; ++i) later[i] += 1;  // position 3 of sample 0
  const auto y = test::numbers(attended(layer, nn::causal_mask(4))(std::array{Var(x)}).value());
  const auto z = test::numbers(attended(layer, nn::causal_mask(4))(std::array{Var(later)}).value());
  for (std::size_t i = 0; i < 32; ++i) CHECK((y[i] == z[i]) == (i < 12 || i >= 16));
  Tensor padding({2, 1, 1, 4}, Real(0));
  padding[3] = Real(-1e9);  // the same position, by its key
  const auto a = test::numbers(attended(layer, padding)(std::array{Var(x)}).value());
  const auto b = test::numbers(attended(layer, padding)(std::array{Var(later)}).value());
  for (std::size_t i = 0; i < 32; ++i) CHECK((a[i] == b[i]) == (i < 12 || i >= 16));
}

TEST_CASE("attention: what does not fit is refused") {
  nn::Initializer init(1);
  nn::MultiHeadAttention layer(4, 2, init);
  CHECK_THROWS_WITH_AS(nn::MultiHeadAttention(4, 3, init),
                       "[MultiHeadAttention] heads do not share the channels out: got 3 heads, 4 "
                       "channels; expected a multiple of the heads",
                       Error);
  CHECK_THROWS_WITH_AS(layer(zero_input({2, 4})), doctest::Contains("got query [2, 4], key [2, 4]"),
                       Error);
  CHECK_THROWS_WITH_AS(layer(zero_input({2, 5, 4}), zero_input({2, 3, 4}), zero_input({2, 2, 4})),
                       "[MultiHeadAttention] shapes do not fit: got query [2, 5, 4], key [2, 3, "
                       "4], value [2, 2, 4]; expected query[N, T, 4], key and value [N, S, 4]",
                       Error);
  const Var x = zero_input({2, 3, 4});
  CHECK_THROWS_WITH_AS(layer(x, x, x, nn::causal_mask(4)),
                       "[MultiHeadAttention] mask does not fit: got [4, 4]; expected what "
                       "stretches to the scores [N, heads, T, S], [2, 2, 3, 3]",
                       Error);
}

TEST_CASE("attention: initial values as PyTorch's, every tensor has a slot") {
  nn::Initializer init(1);
  nn::MultiHeadAttention layer(24, 2, init);
  // xavier_uniform of [72, 24]: sqrt(6 / 96) = 0.25
  for (const Real v : layer.k_proj.weight.value().span()) REQUIRE(std::abs(v) <= Real(0.25));
  for (const Real v : layer.k_proj.bias.value().span()) REQUIRE(v == 0);
  std::vector<std::string> slots;
  for (const auto& [name, slot] : nn::slots(layer)) slots.push_back(name);
  CHECK(slots == std::vector<std::string>{"q_proj.input_q", "q_proj.weight_q", "q_proj.output_q",
                                          "k_proj.input_q", "k_proj.weight_q", "k_proj.output_q",
                                          "v_proj.input_q", "v_proj.weight_q", "v_proj.output_q",
                                          "scores.output_q", "probabilities.output_q",
                                          "context.output_q", "out_proj.input_q",
                                          "out_proj.weight_q", "out_proj.output_q"});
}

TEST_CASE("attention: probabilities are dropped in training only") {
  nn::Initializer init(1);
  nn::MultiHeadAttention layer(4, 2, init, {Real(0.5), true});
  const Var x(test::normal({2, 3, 4}));
  const auto y = test::numbers(layer(x).value());
  CHECK(test::numbers(layer(x).value()) == y);
  const auto trained = [&](std::uint32_t at) {
    TrainingStep step({1, 0, at});
    return test::numbers(layer(x).value());
  };
  CHECK(trained(0) != y);
  CHECK(trained(0) != trained(1));
  CHECK(trained(0) == trained(0));  // the same step, the same masks
}

TEST_CASE("encoder layer: shapes, gradient, threads") {
  nn::Initializer init(1);
  for (const bool norm_first : {false, true}) {
    nn::TransformerEncoderLayer layer(4, 2, 6, init, {0, norm_first, true});
    CHECK(layer(zero_input({2, 5, 4})).shape() == Shape{2, 5, 4});
    test::check_layer(layer, {{2, 3, 4}}, [&](std::span<const Var> x) { return layer(x[0]); });
  }
}

TEST_CASE("encoder layer: as PyTorch") {
  nn::Initializer init(1);
  nn::TransformerEncoderLayer post(4, 2, 5, init, {0, false, false}),
      pre(4, 2, 5, init, {0, true, true});
  test::as_pytorch("transformer_encoder_layer/post-relu", test::with_parameters(post), 1e-4, 3e-5);
  test::as_pytorch("transformer_encoder_layer/pre-gelu", test::with_parameters(pre), 1e-4, 3e-5);
}

TEST_CASE("encoder layer: a mask reaches attention, dropout only training") {
  nn::Initializer init(1);
  nn::TransformerEncoderLayer layer(4, 2, 5, init);
  const Tensor x = test::normal({1, 3, 4});
  Tensor later = x.clone();
  later[8] += 1;
  const auto first = [&](const Tensor& in) {
    auto y = test::numbers(layer(Var(in), nn::causal_mask(3)).value());
    y.resize(8);
    return y;
  };
  CHECK(first(x) == first(later));
  TrainingStep step({});
  CHECK(test::numbers(layer(Var(x)).value()) != test::numbers(layer(Var(later)).value()));
  const auto noisy = first(x);
  TrainingStep without_noise({}, false);
  CHECK(first(x) != noisy);
  CHECK_THROWS_WITH_AS(layer(zero_input({3, 4})),
                       "[TransformerEncoderLayer] shapes do not fit: got x [3, 4]; expected x[N, "
                       "T, 4]",
                       Error);
}

}  // namespace fraqat::attention_test
