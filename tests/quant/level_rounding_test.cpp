#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "models/models.hpp"
#include "quant/attach.hpp"
#include "quant/exchange.hpp"
#include "quant/rounding.hpp"

namespace fraqat::level_rounding_test {

// Widths become level counts that are no power of two, and cost what these are stored in.

using quant::Budget;
using quant::Coding;
using quant::Cost;
using quant::Role;
using quant::Rounding;
using quant::RoundingItem;
using quant::Sum;
using quant::Width;

namespace {

Width levels(int count) { return Width::of_levels(count); }

/// Symmetric codes: 2, 2.585, 3, 3.322, 3.585, 3.807 and 4 bits of resolution.
std::vector<Width> some() {
  return {levels(3), levels(5), levels(7), levels(9), levels(11), levels(13), 4, 5, 6};
}

}  // namespace

TEST_CASE("level rounding: each width by itself, compared in resolution") {
  const auto round = [](double b, Rounding how) {
    return quant::round_each({{"t", b, 10, 1, some()}}, how).bits[0];
  };
  CHECK(round(3.4, Rounding::nearest) == levels(9));
  CHECK(round(3.5, Rounding::nearest) == levels(11));
  CHECK(round(3.4, Rounding::ceil) == levels(11));
  CHECK(round(3.5, Rounding::floor) == levels(9));
  CHECK(round(2, Rounding::floor) == levels(3));
  CHECK(round(3.9, Rounding::ceil) == Width(4));
  CHECK(round(1, Rounding::nearest) == levels(3));
  // Natural codes: log2 of the count.
  RoundingItem natural{"t", 2.5, 10, 1, {2, levels(5), levels(6), 3}};
  natural.coding = Coding::natural;
  CHECK(quant::round_each({natural}, Rounding::nearest).bits[0] == levels(6));
  CHECK(quant::round_each({natural}, Rounding::floor).bits[0] == levels(5));
}

TEST_CASE("level rounding: what is expected to be lost goes by resolution, what it costs by bits") {
  const RoundingItem item{"t", 3, 1000, 2, some()};
  CHECK(item.loss(4) == doctest::Approx(2 * std::pow(4.0, 3 - (1 + std::log2(6.0)))));
  // 11 levels: 18 codes in 8 bytes; 3 levels: 5 in a byte.
  CHECK(quant::bits_of(1000, levels(11)) == (1000 * 64 + 17) / 18);
  CHECK(levels(11).bytes(1000) == (1000 + 17) / 18 * 8);
  CHECK(quant::bits_of(1000, levels(3)) == 1600);
  CHECK(levels(3).bytes(1000) == 200);
}

TEST_CASE("level rounding: the costs of a network are those of stored codes") {
  const auto model = models::make("lenet5-bn", {28, 28, 1}, 10, 1);
  const Tensor image({1, 28, 28, 1}, Real(0));
  quant::attach(*model, image, {});
  const quant::Workload workload = quant::workload_of(*model, image);
  std::vector<Width> widths;
  for (const quant::Quantizer* q : workload.quantizers)
    widths.push_back(q->info().role == Role::input    ? Width(8)
                     : q->info().role == Role::weight ? levels(11)
                                                      : levels(6));
  const Index sizes[] = {150, 2400, 48000, 10080, 840}, channels = 6 + 16 + 120 + 84 + 10;
  Index bytes = 8 * channels + 4 * 5, bits = 0, all = 0;
  for (const Index n : sizes) {
    bytes += levels(11).bytes(n);
    bits += (n * 64 + 17) / 18;
    all += n;
  }
  CHECK(quant::model_bytes(workload).exact(widths) == double(bytes));
  CHECK(quant::average_bits(workload, Role::weight).exact(widths) ==
        doctest::Approx(double(bits) / double(all)));
  // 64 / 18 bits of a weight times 8, and times those of 6 levels: 8 bytes hold 24.
  const Index conv1 = (784 * 150 * 64 * 8 + 17) / 18;
  Index bops = conv1;
  for (const Index macs : {100 * 2400, 48000, 10080, 840})
    bops += (macs * 64 * 64 + 18 * 24 - 1) / (18 * 24);
  CHECK(quant::radix_of(6).codes * 8 == 24 * quant::radix_of(6).bytes);
  CHECK(quant::bit_operations(workload).exact(widths) == doctest::Approx(double(bops)));
  CHECK(quant::peak_activation_bytes(workload).exact(widths) ==
        double(784 + levels(6).bytes(4704)));
}

TEST_CASE("level rounding: to a budget, what trying everything finds") {
  const std::vector<RoundingItem> items = {{"a", 3.3, 100, 120, some()},
                                           {"b", 2.7, 2000, 1500, some()},
                                           {"c", 4.2, 500, 600, {2, 3, 4, 5, 6, 7, 8}}};
  for (const double target : {2.2, 2.5, 2.9, 3.3, 4.1}) {
    CAPTURE(target);
    Sum bits{{}, 0, 2600, false}, bytes{{}, 0, 8, true};
    for (std::size_t k = 0; k < 3; ++k) {
      bits.terms.push_back({k, Sum::none, items[k].elements});
      bytes.terms.push_back({k, Sum::none, items[k].elements});
    }
    const std::vector<Budget> budgets = {{Cost{"weight", "average_bits", {bits}}, target},
                                         {Cost{"bytes", "bytes", {bytes}}, 2600 * target / 8}};
    double least = std::numeric_limits<double>::infinity();
    for (const Width& a : items[0].allowed)
      for (const Width& b : items[1].allowed)
        for (const Width& c : items[2].allowed)
          if (quant::within(budgets, {a, b, c}))
            least = std::min(least, quant::expected_loss(items, {a, b, c}));
    const quant::Rounded rounded = quant::round_to_budgets(items, budgets);
    CHECK(rounded.exact);
    CHECK(quant::within(budgets, rounded.bits));
    CHECK(quant::expected_loss(items, rounded.bits) == doctest::Approx(least));
  }
}

TEST_CASE("level rounding: a count whose words take more bytes than finer codes is not chosen") {
  // One code: of 7 levels in a word of 4 bytes, of 4 or 5 bits in 1.
  const std::vector<Width> allowed = {2, levels(7), 4, 5};
  CHECK(levels(7).bytes(1) > Width(5).bytes(1));
  const std::vector<RoundingItem> items = {{"a", 5, 1, 1, allowed}, {"b", 5, 1, 1, allowed}};
  const Sum bytes{{{0, Sum::none, 1}, {1, Sum::none, 1}}, 0, 8, true};
  const std::vector<Budget> two = {{Cost{"bytes", "bytes", {bytes}}, 2}};
  const quant::Rounded rounded = quant::round_to_budgets(items, two);
  CHECK(rounded.bits == std::vector<Width>{5, 5});
  CHECK(quant::within(two, rounded.bits));
  const std::vector<RoundingItem> no_two = {{"a", 3, 1, 1, {levels(7), 4}},
                                            {"b", 3, 1, 1, {levels(7), 4}}};
  CHECK(quant::round_to_budgets(no_two, two).bits == std::vector<Width>{4, 4});
  CHECK_NOTHROW(quant::check_feasible(no_two, two));
}

}  // namespace fraqat::level_rounding_test
