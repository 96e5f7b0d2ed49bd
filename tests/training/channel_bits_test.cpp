#include <doctest/doctest.h>

#include <set>

#include "models/run/arms.hpp"
#include "models/run/budgets.hpp"
#include "models/run/checkpoint.hpp"
#include "quant/bits_by_name.hpp"
#include "tests/training/tiny_run.hpp"

namespace fraqat::channel_bits_test {

// Bit-widths of single channels are searched, rounded, saved and trained on like others.

namespace {

run::Recipe recipe_of(const std::string& bits) {
  run::Recipe recipe = test::tiny_recipe("lenet5-bn");
  recipe.train_limit = 320;
  recipe.test_limit = 32;
  recipe.batch = 16;
  recipe.bit_rate = 0.1;
  recipe.weight.bits = recipe.activation.bits = bits;
  recipe.weight.per_channel = recipe.weight.bits_per_channel = true;
  recipe.weight.start = recipe.activation.start = 4.5;
  recipe.activation.average_bits = 4;
  return recipe;
}

std::set<int> widths_of(const quant::Quantizer& q) {
  std::set<int> widths;
  for (Index row = 0; row < q.width_count(); ++row) widths.insert(q.hard_bits(row));
  return widths;
}

std::string text_of(nn::Module& model) {
  return run::widths_text(model) + run::tensors_of(model).dump();
}

}  // namespace

TEST_CASE("channel bits: every policy that can meets its budget, and channels differ") {
  for (const std::string& bits : quant::bit_policies()) {
    if (!quant::has_row_widths(bits)) continue;
    CAPTURE(bits);
    run::Recipe recipe = recipe_of(bits);
    recipe.weight.average_bits = 3.25;
    const test::TinySession session(recipe);
    const auto model = run::make_model(recipe);
    test::quantize(*model, *session, recipe);
    run::BitSearch search(*model, recipe);
    run::train(*session, *model, recipe, recipe.search, {"search"}, &search);
    const auto all = quant::quantizers(*model);
    // The temperature of a mixture falls, which moves b a little after the last step.
    CHECK(quant::average_bits(all, quant::Role::weight, false) ==
          doctest::Approx(3.25).epsilon(0.02));
    const nlohmann::ordered_json report = search.round();
    CHECK(report["weight"]["reached"].get<double>() <= 3.25 + 1e-9);
    CHECK(report["weight"]["reached"].get<double>() >= 3.2);
    CHECK(quant::average_bits(all, quant::Role::weight, true) ==
          doctest::Approx(report["weight"]["reached"].get<double>()));
    for (const quant::Quantizer* q : all)
      if (q->info().name == "fc1.weight_q") CHECK(widths_of(*q).size() >= 2);
  }
}

TEST_CASE("channel bits: budgets of bytes and of bit operations, and a price") {
  for (const char* kind : {"bytes", "bops", "price"}) {
    CAPTURE(std::string(kind));
    run::Recipe recipe = recipe_of("stochastic");
    recipe.activation.average_bits = 0;
    if (kind == std::string("bytes")) recipe.budget.bytes = 30000;
    if (kind == std::string("bops")) recipe.budget.bops = 6e6;
    if (kind == std::string("price")) recipe.lambda = 0.5;
    const test::TinySession session(recipe);
    const auto model = run::make_model(recipe);
    test::quantize(*model, *session, recipe);
    run::BitSearch search(*model, recipe);
    run::train(*session, *model, recipe, recipe.search, {"search"}, &search);
    search.round();
    const run::Counts counts = run::counts_of(search.workload());
    CHECK(counts.bytes == run::packed_bytes(*model));
    if (kind == std::string("bytes")) {
      CHECK(counts.bytes <= 30000);
      CHECK(counts.bytes >= 29900);
    }
    if (kind == std::string("bops")) {
      CHECK(counts.bops <= 6e6);
      CHECK(double(counts.bops) >= 5.8e6);
    }
    if (kind == std::string("price"))
      CHECK(quant::average_bits(quant::quantizers(*model), quant::Role::weight, false) < 4.4);
  }
}

TEST_CASE(
    "channel bits: a checkpoint keeps the width of every channel, before and after rounding") {
  run::Recipe recipe = recipe_of("bell-argmax");
  recipe.weight.random_start = true;
  const test::TinySession session(recipe);
  const test::TemporaryDirectory folder;
  const auto model = run::make_model(recipe);
  test::quantize(*model, *session, recipe);
  const auto check_same = [&](const char* phase) {
    const auto path = folder / phase;
    run::save_checkpoint(path, *model, recipe, phase);
    const run::Loaded loaded = run::load_checkpoint(path);
    CHECK(text_of(*loaded.model) == text_of(*model));
    return loaded.recipe;
  };
  CHECK(check_same("search") == recipe);
  run::BitSearch(*model, recipe).round();
  check_same("rounded");
  for (const nlohmann::ordered_json& tensor : run::tensors_of(*model)) {
    const bool channels = tensor["role"] == "weight";
    CHECK(tensor.contains("channel_bits") == channels);
    if (!channels) continue;
    double sum = 0;
    for (const int bits : tensor["channel_bits"]) sum += bits;
    CHECK(tensor["bits"].get<double>() ==
          doctest::Approx(sum / double(tensor["channel_bits"].size())));
  }
  const std::string text = run::widths_text(*model), name = "\"conv1.weight_q\":[[";
  const std::size_t at = text.find(name) + name.size();
  const std::string fewer = text.substr(0, at) + text.substr(text.find(',', at) + 1);
  CHECK_THROWS_WITH_AS(run::apply_widths(*model, fewer, "FILE"),
                       "[checkpoint] FILE: fraqat.bits lacks a width: got none of conv1.weight_q; "
                       "expected those of all tensors; try the file as fraqat wrote it",
                       Error);
}

TEST_CASE("channel bits: a search that is gone on with is the same, to the bit") {
  run::Recipe recipe = recipe_of("stochastic");
  recipe.weight.average_bits = 3.5;
  recipe.train_limit = 64;
  const test::TinySession session(recipe);
  const auto widths_after = [&](bool resumed) {
    const auto model = run::make_model(recipe);
    test::quantize(*model, *session, recipe);
    run::BitSearch first(*model, recipe), second(*model, recipe);
    run::BitSearch* search = &first;
    for (int i = 1; i <= 8; ++i) {
      if (resumed && i == 5) {
        second.set_state(nlohmann::json::parse(first.state().dump()));
        search = &second;
      }
      search->before_step(i / 8.0);
      for (quant::Quantizer* q : quant::quantizers(*model))
        if (Var theta = q->bits().parameter()) {
          Tensor grad(theta.shape());
          fill_normal(grad, Philox(4, Stream::synthetic, std::uint32_t(i)));
          theta.accumulate(grad);
        }
      search->step(i / 8.0);
    }
    search->round();
    return text_of(*model);
  };
  CHECK(widths_after(true) == widths_after(false));
}

}  // namespace fraqat::channel_bits_test
