#include <doctest/doctest.h>

#include <set>

#include "nn/state.hpp"
#include "quant/bits_by_name.hpp"
#include "tests/training/tiny_run.hpp"

namespace fraqat::budget_search_test {

// A budget is met, and used, wherever the search starts.

namespace {

std::vector<quant::Quantizer*> of_role(nn::Module& model, quant::Role role) {
  std::vector<quant::Quantizer*> some;
  for (quant::Quantizer* q : quant::quantizers(model))
    if (q->info().role == role) some.push_back(q);
  return some;
}

/// What the tensors cost at their rounded widths: bits, or whole bytes and `overhead`.
Index cost_of(const std::vector<quant::Quantizer*>& all, const std::vector<quant::Width>& bits,
              bool bytes) {
  Index cost = 0;
  for (std::size_t k = 0; k < all.size(); ++k) {
    const Index n = all[k]->info().elements;
    cost += bytes ? bits[k].bytes(n) + 8 * all[k]->info().channels + 4 : n * bits[k].whole_bits();
  }
  return cost;
}

/// The most that any assignment of 2 to 8 bits uses of `limit`, by trying all.
Index best_use(const std::vector<quant::Quantizer*>& all, Index limit, bool bytes) {
  std::vector<quant::Width> bits(all.size(), 2);
  Index best = 0;
  for (std::size_t k = 0; k < bits.size();) {
    const Index cost = cost_of(all, bits, bytes);
    if (cost <= limit) best = std::max(best, cost);
    for (k = 0; k < bits.size() && bits[k] == quant::Width(8); ++k) bits[k] = 2;
    if (k < bits.size()) bits[k] = bits[k].whole_bits() + 1;
  }
  return best;
}

void check_budget(const std::vector<quant::Quantizer*>& all, double limit, bool bytes) {
  std::vector<quant::Width> bits;
  for (const quant::Quantizer* q : all) bits.push_back(q->hard_bits());
  const auto cost = static_cast<double>(cost_of(all, bits, bytes));
  CHECK(cost <= limit + 1e-6);
  const auto best = static_cast<double>(best_use(all, static_cast<Index>(limit + 1e-6), bytes));
  REQUIRE(best >= 0.99 * limit);  // these tensors allow it
  CHECK(cost >= 0.99 * limit);
}

struct Found {
  std::set<int> weight, activation;  // different widths
};

Found search(run::Recipe recipe, const nn::NamedTensors& start) {
  const test::TinySession session(recipe);
  const auto model = run::make_model(recipe);
  nn::apply_state(*model, start, "the float network");
  test::quantize(*model, *session, recipe);
  run::BitSearch search(*model, recipe);
  run::train(*session, *model, recipe, recipe.search, {"search"}, &search);
  const nlohmann::ordered_json report = search.round();
  Found found;
  for (const quant::Role role : {quant::Role::weight, quant::Role::activation}) {
    const bool weight = role == quant::Role::weight;
    const auto all = of_role(*model, role);
    const bool bytes = weight && recipe.weight.bytes > 0;
    double elements = 0;
    for (const quant::Quantizer* q : all) elements += static_cast<double>(q->info().elements);
    const double average = weight ? recipe.weight.average_bits : recipe.activation.average_bits;
    check_budget(all, bytes ? recipe.weight.bytes : average * elements, bytes);
    const auto& side = report[bytes ? "bytes" : weight ? "weight" : "activation"];
    CHECK(side["reached"].get<double>() <= side["target"].get<double>() + 1e-9);
    CHECK(side["reached"].get<double>() >= 0.99 * side["target"].get<double>());
    for (const quant::Quantizer* q : all)
      (weight ? found.weight : found.activation).insert(q->hard_bits());
  }
  return found;
}

run::Recipe short_recipe() {
  run::Recipe recipe = test::tiny_recipe("lenet5-bn");
  recipe.batch = 16;
  recipe.train_limit = 160;
  recipe.test_limit = 32;
  recipe.float_training.epochs = 3;
  recipe.search.epochs = 8;
  recipe.bit_rate = 0.05;
  recipe.activation.average_bits = 3.3;
  return recipe;
}

/// The float network of the recipe.
const nn::NamedTensors& float_network() {
  static const nn::NamedTensors trained = [] {
    const run::Recipe recipe = short_recipe();
    const test::TinySession session(recipe);
    const auto model = run::make_model(recipe);
    run::train(*session, *model, recipe, recipe.float_training, {"float"});
    return nn::state_of(*model);
  }();
  return trained;
}

}  // namespace

TEST_CASE("budget: held and used by every policy from 3, 5 and 7.75 bits") {
  bool bytes = false;
  for (const std::string& bits : quant::bit_policies()) {
    if (bits == "fixed" || bits == "schedule") continue;
    for (const double begin : {3.0, 5.0, 7.75}) {
      CAPTURE(bits);
      CAPTURE(begin);
      run::Recipe recipe = short_recipe();
      recipe.weight.bits = recipe.activation.bits = bits;
      recipe.weight.start = recipe.activation.start = begin;
      recipe.weight.average_bits = bytes ? 0 : 2.7;
      recipe.weight.bytes = bytes ? 24000 : 0;
      search(recipe, float_network());
      bytes = !bytes;
    }
  }
}

TEST_CASE("budget: held and used from any start, in bits and in bytes") {
  run::Recipe recipe = short_recipe();
  for (const bool bytes : {false, true})
    for (const double begin : {3.0, 5.0, 7.75, 0.0}) {
      CAPTURE(bytes);
      CAPTURE(begin);
      recipe.weight.average_bits = bytes ? 0 : 2.7;
      recipe.weight.bytes = bytes ? 24000 : 0;
      recipe.weight.random_start = recipe.activation.random_start = begin == 0;
      recipe.weight.start = recipe.activation.start = begin == 0 ? 3 : begin;
      const Found found = search(recipe, float_network());
      CHECK(found.weight.size() >= 3);
      CHECK(found.activation.size() >= 2);
    }
}

TEST_CASE("budget: bit operations are held and used from 3, 5 and 7.75 bits, too") {
  run::Recipe recipe = short_recipe();
  recipe.weight.average_bits = recipe.activation.average_bits = 0;
  recipe.budget.bops = 3.7e6;
  for (const double begin : {3.0, 5.0, 7.75}) {
    CAPTURE(begin);
    recipe.weight.start = recipe.activation.start = begin;
    const test::TinySession session(recipe);
    const auto model = run::make_model(recipe);
    nn::apply_state(*model, float_network(), "the float network");
    test::quantize(*model, *session, recipe);
    run::BitSearch search(*model, recipe);
    run::train(*session, *model, recipe, recipe.search, {"search"}, &search);
    const nlohmann::ordered_json report = search.round();
    CHECK(report["bops"]["reached"] <= recipe.budget.bops);
    CHECK(report["bops"]["reached"] >= 0.99 * recipe.budget.bops);
  }
}

}  // namespace fraqat::budget_search_test
