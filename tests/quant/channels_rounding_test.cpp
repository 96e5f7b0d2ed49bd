#include <doctest/doctest.h>

#include "models/models.hpp"
#include "quant/attach.hpp"
#include "quant/knapsack.hpp"
#include "quant/rounding.hpp"

namespace fraqat::channels_rounding_test {

// What hundreds of bit-widths cost, and how they become whole together.

using quant::Budget;
using quant::Cost;
using quant::Couples;
using quant::Role;
using quant::RoundingItem;
using quant::Sum;

namespace {

/// lenet5-bn with a width for each channel of its weights.
std::unique_ptr<nn::Module> lenet() {
  auto model = models::make("lenet5-bn", {28, 28, 1}, 10, 1);
  quant::Spec spec;
  spec.weight.bits = spec.activation.bits = "stochastic";
  spec.weight.per_channel = spec.weight.bits_per_channel = true;
  spec.weight.start = spec.activation.start = 4;
  quant::attach(*model, Tensor({1, 28, 28, 1}, Real(0)), spec);
  return model;
}

int some_width(const quant::Site& site) {
  const Role role = site.quantizer->info().role;
  return role == Role::input ? 8 : role == Role::weight ? 2 + int(site.row) % 5 : 5;
}

/// Numbers of a layer's weights, and how often each is used, by hand.
struct Layer {
  const char* name;
  Index channels, elements, uses;
};
constexpr Layer layers[] = {{"conv1", 6, 25, 784},
                            {"conv2", 16, 150, 100},
                            {"fc1", 120, 400, 1},
                            {"fc2", 84, 120, 1},
                            {"fc3", 10, 84, 1}};

}  // namespace

TEST_CASE("channels: costs are those of the rows, a tensor's codes one stream of whole bytes") {
  const auto model = lenet();
  const quant::Workload workload = quant::workload_of(*model, Tensor({1, 28, 28, 1}, Real(0)));
  const std::vector<quant::Site> sites = quant::sites_of(workload.quantizers);
  std::vector<quant::Width> bits;
  for (const quant::Site& site : sites) bits.push_back(some_width(site));
  CHECK(sites[1].name() == "conv1.weight_q[0]");
  Index elements = 0, all = 0, bytes = 0, bops = 0, channels = 0;
  for (const Layer& layer : layers) {
    Index stream = 0;
    for (Index row = 0; row < layer.channels; ++row) stream += layer.elements * (2 + row % 5);
    elements += layer.channels * layer.elements;
    channels += layer.channels;
    all += stream;
    bytes += (stream + 7) / 8 + (8 + 4) * layer.channels;
    bops += layer.uses * stream * (layer.name == std::string("conv1") ? 8 : 5);
  }
  CHECK(std::ssize(sites) == std::ssize(workload.quantizers) - 5 + channels);
  CHECK(quant::average_bits(workload, Role::weight).exact(bits) ==
        doctest::Approx(double(all) / double(elements)));
  CHECK(quant::model_bytes(workload).exact(bits) == double(bytes));
  CHECK(quant::bit_operations(workload).exact(bits) == double(bops));
}

TEST_CASE("channels: slopes of costs are what a bit more adds") {
  const auto model = lenet();
  const quant::Workload workload = quant::workload_of(*model, Tensor({1, 28, 28, 1}, Real(0)));
  std::vector<double> widths;
  for (const quant::Site& site : quant::sites_of(workload.quantizers))
    widths.push_back(some_width(site));
  for (const Cost& cost : {quant::model_bytes(workload), quant::bit_operations(workload)}) {
    const std::vector<double> slopes = cost.slopes(widths);
    for (const std::size_t k : {std::size_t{0}, std::size_t{3}, std::size_t{40}}) {
      std::vector<double> more = widths;
      more[k] += 1;
      CHECK(slopes[k] == doctest::Approx(cost.value(more) - cost.value(widths)));
    }
  }
}

namespace {

std::vector<RoundingItem> row_items(int count, std::uint32_t seed) {
  const Philox draw(seed, Stream::synthetic);
  std::vector<RoundingItem> items;
  for (int k = 0; k < count; ++k) {
    const Philox::Block r = draw({0, 0, 0, std::uint32_t(k)});
    const Index elements = 9 * (k % 3 ? 64 : 16);
    items.push_back({std::to_string(k),
                     2 + 5 * double(uniform(r[0])),
                     elements,
                     double(elements) * (0.5 + double(uniform(r[1]))),
                     {2, 3, 4, 5, 6, 7, 8}});
  }
  return items;
}

}  // namespace

TEST_CASE("channels: rounding the rows of a whole network is exact") {
  const std::vector<RoundingItem> items = row_items(688, 1);
  Sum average{{}, 0, 0, false}, bytes{{}, 100, 8, true};
  for (std::size_t k = 0; k < items.size(); ++k) {
    average.terms.push_back({k, Sum::none, items[k].elements});
    average.divisor += double(items[k].elements);
    bytes.terms.push_back({k, Sum::none, items[k].elements, k / 43});
  }
  const std::vector<Budget> in_bits = {{Cost{"weight", "average_bits", {average}}, 3.3}};
  const std::vector<Budget> in_bytes = {
      {Cost{"bytes", "bytes", {bytes}}, 3.3 * average.divisor / 8}};
  const std::vector<Budget> both = {in_bits[0], in_bytes[0]};
  for (const std::vector<Budget>& budgets : {in_bits, in_bytes, both}) {
    const quant::Rounded rounded = quant::round_to_budgets(items, budgets);
    for (const Budget& budget : budgets) {
      CHECK(budget.cost.exact(rounded.bits) <= budget.target + 1e-9);
      CHECK(budget.cost.exact(rounded.bits) >= 0.998 * budget.target);
    }
    CHECK(rounded.exact);
  }
}

TEST_CASE("channels: of a hundred rows the bounds find what the table finds") {
  const std::vector<RoundingItem> items = row_items(120, 2);
  std::vector<std::vector<quant::Choice>> choices;
  Index all = 0;
  for (const RoundingItem& item : items) {
    choices.emplace_back();
    for (std::size_t i = 0; i < item.allowed.size(); ++i)
      choices.back().push_back({item.loss(i), {item.elements * item.allowed[i].whole_bits()}});
    all += item.elements;
  }
  const quant::Packing table = quant::pack(choices, {3 * all});
  // A second limit that holds anyway takes the way of many items.
  for (auto& item : choices)
    for (quant::Choice& choice : item) choice.costs.push_back(0);
  const quant::Packing bounded = quant::pack(choices, {3 * all, 1});
  CHECK(bounded.loss == doctest::Approx(table.loss).epsilon(1e-3));
  if (bounded.exact) CHECK(bounded.loss == doctest::Approx(table.loss).epsilon(1e-9));
}

TEST_CASE("channels: rows and the activation they read, rounded in turn, within the budget") {
  // Tensor 0, rows 0 to 39, reads activation 40; tensor 1, rows 41 to 80, reads activation 81.
  std::vector<RoundingItem> items = row_items(82, 3);
  Sum bops{{}, 0, 1, false}, average{{}, 0, 0, false};
  Couples couples;
  for (std::size_t k = 0; k < items.size(); ++k) {
    if (k == 40 || k == 81) continue;
    bops.terms.push_back({k < 40 ? std::size_t{40} : std::size_t{81}, k, 50 * items[k].elements});
    average.terms.push_back({k, Sum::none, items[k].elements});
    average.divisor += double(items[k].elements);
    if (k != 0 && k != 41) couples.emplace_back(k < 40 ? 0 : 41, k);
  }
  const std::vector<Budget> budgets = {
      {Cost{"bops", "bops", {bops}}, 50 * average.divisor * 3.5 * 4},
      {Cost{"weight", "average_bits", {average}}, 3.75}};
  const quant::Rounded rounded = quant::round_rows_to_budgets(items, budgets, {}, couples);
  CHECK_FALSE(rounded.exact);
  for (const Budget& budget : budgets)
    CHECK(budget.cost.exact(rounded.bits) <= budget.target + 1e-9);
  const quant::Rounded wholes = quant::round_to_budgets(items, budgets, couples);
  CHECK(quant::expected_loss(items, rounded.bits) < 0.8 * quant::expected_loss(items, wholes.bits));
  CHECK_THROWS_AS(quant::round_rows_to_budgets(
                      items, {{budgets[0].cost, 50 * average.divisor * 3.9}}, {}, couples),
                  Error);
}

}  // namespace fraqat::channels_rounding_test
