#include <doctest/doctest.h>

#include "core/parallel.hpp"
#include "quant/bits_by_name.hpp"
#include "tests/support/allocations.hpp"
#include "tests/training/tiny_run.hpp"

namespace fraqat::allocation_search_test {

// The search, as a run does it: loader, quantizers, budget and all optimizers.

namespace {

/// Notes how often memory was asked for, from the end of step 9 to that of step 20.
class Steps10To20 final : public run::Observer {
 public:
  void step(Index done, double) override {
    if (done == 9) before_ = test::allocations();
    if (done == 20) calls = test::allocations() - before_;
  }

  long calls = -1;

 private:
  long before_ = 0;
};

run::Recipe search_recipe(const std::string& bits, bool per_channel) {
  run::Recipe recipe = test::tiny_recipe("none");
  recipe.batch = 8;
  recipe.train_limit = 25 * 8;
  recipe.test_limit = 8;
  recipe.calibration_batches = 1;
  recipe.weight.bits = recipe.activation.bits = bits;
  recipe.weight.per_channel = per_channel;
  const bool learned = bits != "schedule";  // whose widths no budget can move
  recipe.weight.average_bits = recipe.activation.average_bits = learned ? 4 : 0;
  return recipe;
}

class Search {
 public:
  long calls_in_steps_10_to_20(const run::Recipe& recipe) {
    long calls = 0;
    for (const bool norm : {false, true}) {
      const auto model = test::small_net(1, norm);
      test::quantize(*model, session_, recipe);
      run::BitSearch search(*model, recipe);
      run::train(session_, *model, recipe, recipe.search, {"search"}, &search);
      calls += observer_.calls;
    }
    return calls;
  }

 private:
  test::TemporaryDirectory folder_;
  Steps10To20 observer_;
  const run::Recipe recipe_ = search_recipe("stochastic", false);
  const run::Options options_{folder_.path(), {}, {}, {}};
  const run::Session session_{recipe_, options_, observer_};
};

}  // namespace

TEST_CASE("allocations: none in steps 10 to 20 of a search under a budget") {
  Search search;
  const int before = thread_count();
  for (const int threads : {1, 2, 3})
    for (const bool per_channel : {false, true})
      for (const std::string& bits : quant::bit_policies()) {
        CAPTURE(threads);
        CAPTURE(per_channel);
        if (bits == "fixed") continue;
        CAPTURE(bits);
        set_thread_count(threads);
        CHECK(search.calls_in_steps_10_to_20(search_recipe(bits, per_channel)) == 0);
      }
  set_thread_count(before);
}

TEST_CASE("allocations: none in steps 10 to 20 of a search at a price") {
  Search search;
  const int before = thread_count();
  set_thread_count(2);
  for (const char* optimizer : {"sgd", "adam"})
    for (const char* range : {"minmax", "mse"}) {
      CAPTURE(std::string(optimizer));
      CAPTURE(std::string(range));
      run::Recipe recipe = search_recipe("logits-argmax", false);
      recipe.weight.average_bits = recipe.activation.average_bits = 0;
      recipe.lambda = 0.01;
      recipe.cost = "quadratic";
      recipe.bit_optimizer = recipe.search.optimizer = optimizer;
      recipe.search.clip = 5;
      recipe.weight.range = recipe.activation.range = range;
      CHECK(search.calls_in_steps_10_to_20(recipe) == 0);
    }
  set_thread_count(before);
}

}  // namespace fraqat::allocation_search_test
