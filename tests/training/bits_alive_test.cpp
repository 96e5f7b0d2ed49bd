#include <doctest/doctest.h>

#include "tests/training/tiny_run.hpp"

namespace fraqat::bits_alive_test {

// A price of bits moves the widths all the way, and no price leaves them alone.

namespace {

struct Widths {
  double weight = 0, activation = 0;  // average learned widths
  int hard = 0;                       // the largest rounded one
};

run::Recipe priced_recipe(const std::string& bits, const std::string& optimizer,
                          const std::string& cost) {
  run::Recipe recipe = test::tiny_recipe("lenet5");
  recipe.test_limit = 32;
  recipe.weight.bits = recipe.activation.bits = bits;
  recipe.weight.start = recipe.activation.start = 6;
  recipe.bit_optimizer = optimizer;
  recipe.cost = cost;
  recipe.rounding = "nearest";
  recipe.search.epochs = 18;
  recipe.bit_rate = 0.05;
  recipe.search.rate = 0.01;
  return recipe;
}

Widths widths_after_search(const run::Session& session, run::Recipe recipe, double lambda) {
  recipe.lambda = lambda;
  const auto model = test::small_net(recipe.seed);
  test::quantize(*model, session, recipe);
  run::BitSearch search(*model, recipe);
  run::train(session, *model, recipe, recipe.search, {"search"}, &search);
  search.round();
  const std::vector<quant::Quantizer*> all = quant::quantizers(*model);
  Widths widths{quant::average_bits(all, quant::Role::weight, false),
                quant::average_bits(all, quant::Role::activation, false), 0};
  for (const quant::Quantizer* q : all)
    if (q->info().role != quant::Role::input) widths.hard = std::max(widths.hard, q->hard_bits());
  return widths;
}

void sweep(const std::string& bits, const std::string& optimizer, const std::string& cost,
           const std::vector<double>& lambdas) {
  CAPTURE(bits);
  CAPTURE(optimizer);
  CAPTURE(cost);
  const run::Recipe recipe = priced_recipe(bits, optimizer, cost);
  const test::TinySession session(recipe);
  Widths before{8, 8, 8};
  for (const double lambda : lambdas) {
    CAPTURE(lambda);
    const Widths now = widths_after_search(*session, recipe, lambda);
    CHECK(now.weight <= before.weight);
    CHECK(now.activation <= before.activation);
    if (lambda == 0) {
      CHECK(now.weight >= 6 - 0.3);
      CHECK(now.activation >= 6 - 0.3);
    }
    before = now;
  }
  CHECK(before.hard == 2);
}

}  // namespace

TEST_CASE("bits are alive: a higher price never leaves more bits") {
  for (const char* bits : {"stochastic", "logits-argmax"})
    for (const char* cost : {"linear", "quadratic"}) {
      sweep(bits, "sgd", cost, {0, 0.01, 0.03, 0.1, 1});
      sweep(bits, "adam", cost, {0, 0.001, 0.01, 0.1, 1});
    }
}

}  // namespace fraqat::bits_alive_test
