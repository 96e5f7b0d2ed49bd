#include "quant/knapsack.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "core/random.hpp"
#include "quant/exchange.hpp"

namespace fraqat::knapsack_test {

using quant::Budget;
using quant::Choice;
using quant::Cost;
using quant::Packing;
using quant::RoundingItem;
using quant::Sum;

namespace {

class Dice {
 public:
  explicit Dice(std::uint32_t seed) : random_(seed, Stream::synthetic) {}
  double real(double low, double high) {
    return low + (high - low) * double(uniform(random_({0, 0, 0, next_++})[0]));
  }
  Index whole(Index low, Index high) { return low + Index(real(0, double(high - low + 1) - 1e-3)); }

 private:
  Philox random_;
  std::uint32_t next_ = 0;
};

/// Choices whose costs rise and whose losses fall.
std::vector<std::vector<Choice>> random_items(Dice& dice, int items, std::size_t limits) {
  std::vector<std::vector<Choice>> all;
  for (int k = 0; k < items; ++k) {
    all.emplace_back();
    std::vector<Index> costs(limits);
    double loss = dice.real(0.5, 2);
    for (Index& cost : costs) cost = dice.whole(0, 50);
    for (int c = 0; c < 5; ++c) {
      all.back().push_back({loss, costs});
      loss *= dice.real(0.2, 0.8);
      for (Index& cost : costs) cost += dice.whole(1, 60);
    }
  }
  return all;
}

double least_loss(const std::vector<std::vector<Choice>>& items, const std::vector<Index>& left,
                  std::size_t k = 0) {
  if (k == items.size()) return 0;
  double best = std::numeric_limits<double>::infinity();
  for (const Choice& choice : items[k]) {
    std::vector<Index> rest = left;
    bool fits = true;
    for (std::size_t l = 0; l < rest.size(); ++l) fits &= (rest[l] -= choice.costs[l]) >= 0;
    if (fits) best = std::min(best, choice.loss + least_loss(items, rest, k + 1));
  }
  return best;
}

void check_within(const Packing& packing, const std::vector<std::vector<Choice>>& items,
                  const std::vector<Index>& limits) {
  for (std::size_t l = 0; l < limits.size(); ++l) {
    Index cost = 0;
    for (std::size_t k = 0; k < items.size(); ++k) cost += items[k][packing.chosen[k]].costs[l];
    CHECK(cost == packing.costs[l]);
    CHECK(cost <= limits[l]);
  }
}

/// Weights 0 and 2, activations 1 (read by weight 2) and 3 (read by nobody).
std::vector<RoundingItem> four_tensors(Dice& dice) {
  std::vector<RoundingItem> items;
  for (int k = 0; k < 4; ++k)
    items.push_back({std::string("t").append(std::to_string(k)), dice.real(2, 8),
                     dice.whole(1, 400), dice.real(0.1, 2),
                     k == 3 ? std::vector<quant::Width>{2, 4, 8}
                            : std::vector<quant::Width>{2, 3, 4, 5, 6, 7, 8}});
  return items;
}

std::vector<Budget> four_budgets(const std::vector<RoundingItem>& items, Dice& dice) {
  const Index n0 = items[0].elements, n2 = items[2].elements;
  const Sum bytes{{{0, Sum::none, n0}, {2, Sum::none, n2}}, 12, 8, true};
  const Sum bops{{{0, 3, 30}, {2, 1, 55}}, 0, 1, false};
  const Sum first{
      {{1, Sum::none, items[1].elements}, {3, Sum::none, items[3].elements}}, 0, 8, true};
  const Sum second{{{1, Sum::none, 2 * items[1].elements}}, 9, 8, true};
  const double average = dice.real(2.4, 6);
  return {{Cost{"bytes", "bytes", {bytes}}, 14 + double(n0 + n2) * average / 8},
          {Cost{"bops", "bops", {bops}}, 85 * average * average},
          {Cost{"activation_bytes", "bytes", {first, second}},
           12 + double(2 * items[1].elements + items[3].elements) * average / 8}};
}

/// By trying all widths.
double least_loss(const std::vector<RoundingItem>& items, const std::vector<Budget>& budgets,
                  bool coupled) {
  double best = std::numeric_limits<double>::infinity();
  std::vector<std::size_t> at(items.size());
  for (;;) {
    std::vector<quant::Width> bits;
    double loss = 0;
    for (std::size_t k = 0; k < items.size(); ++k) {
      bits.push_back(items[k].allowed[at[k]]);
      loss += items[k].sensitivity * std::pow(4.0, items[k].bits - bits[k].whole_bits());
    }
    bool fits = !coupled || bits[1] == bits[3];
    for (const Budget& budget : budgets) fits &= budget.cost.exact(bits) <= budget.target + 1e-6;
    if (fits) best = std::min(best, loss);
    std::size_t k = 0;
    while (k < at.size() && ++at[k] == items[k].allowed.size()) at[k++] = 0;
    if (k == at.size()) return best;
  }
}

double loss_of(const std::vector<RoundingItem>& items, const std::vector<quant::Width>& bits) {
  double loss = 0;
  for (std::size_t k = 0; k < items.size(); ++k)
    loss += items[k].sensitivity * std::pow(4.0, items[k].bits - bits[k].whole_bits());
  return loss;
}

}  // namespace

TEST_CASE("knapsack: several limits: what trying everything finds, and the relaxation is near") {
  double worst = 1, sum = 0;
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    Dice dice(seed);
    const std::size_t count = 2 + seed % 3;
    const auto items = random_items(dice, 2 + int(seed % 5), count);
    std::vector<Index> limits;
    for (std::size_t l = 0; l < count; ++l) {
      Index least = 0, most = 0;
      for (const auto& choices : items) {
        least += choices.front().costs[l];
        most += choices.back().costs[l];
      }
      limits.push_back(least + Index(dice.real(0, 0.8) * double(most - least)));
    }
    const double best = least_loss(items, limits);
    const Packing packing = quant::pack(items, limits);
    check_within(packing, items, limits);
    CHECK(packing.exact);
    CHECK(packing.loss == doctest::Approx(best));
    const Packing relaxed = quant::pack_relaxed(items, limits);
    check_within(relaxed, items, limits);
    CHECK_FALSE(relaxed.exact);
    worst = std::max(worst, relaxed.loss / best);
    sum += relaxed.loss / best;
  }
  CHECK(sum / 60 < 1.05);
  CHECK(worst < 1.5);
}

TEST_CASE("knapsack: many items: feasible, and better than any single change") {
  Dice dice(7);
  const auto items = random_items(dice, 60, 3);
  std::vector<Index> limits(3);
  for (const auto& choices : items)
    for (std::size_t l = 0; l < 3; ++l) limits[l] += choices[2].costs[l];
  const Packing packing = quant::pack(items, limits);
  check_within(packing, items, limits);
  CHECK_FALSE(packing.exact);
  for (std::size_t k = 0; k < items.size(); ++k)
    for (const Choice& other : items[k]) {
      const Choice& now = items[k][packing.chosen[k]];
      bool fits = true;
      for (std::size_t l = 0; l < 3; ++l)
        fits &= packing.costs[l] - now.costs[l] + other.costs[l] <= limits[l];
      if (fits) CHECK(other.loss >= now.loss);
    }
}

TEST_CASE("knapsack: nothing within the limits is an error") {
  const std::vector<std::vector<Choice>> items = {{{1, {5, 5}}, {0, {9, 9}}}};
  CHECK_THROWS_WITH_AS(quant::pack(items, {9, 4}),
                       "[round] no choice is within the limit: got 4; expected at least 5", Error);
}

TEST_CASE("rounding to budgets of all kinds at once finds what trying everything finds") {
  for (std::uint32_t seed = 1; seed <= 40; ++seed)
    for (const bool coupled : {false, true}) {
      Dice dice(seed);
      const auto items = four_tensors(dice);
      const auto budgets = four_budgets(items, dice);
      const quant::Couples couples = coupled ? quant::Couples{{1, 3}} : quant::Couples{};
      const double best = least_loss(items, budgets, coupled);
      if (!std::isfinite(best)) {
        CHECK_THROWS_AS(quant::round_to_budgets(items, budgets, couples), Error);
        continue;
      }
      const quant::Rounded rounded = quant::round_to_budgets(items, budgets, couples);
      CHECK(quant::within(budgets, rounded.bits));
      CHECK(rounded.exact);
      if (coupled) CHECK(rounded.bits[1] == rounded.bits[3]);
      CHECK(loss_of(items, rounded.bits) == doctest::Approx(best));
    }
}

TEST_CASE("rounding to budgets: what no budget counts is rounded to the nearest") {
  const std::vector<RoundingItem> items = {{"a", 3.4, 100, 1, {2, 3, 4}},
                                           {"b", 5.6, 100, 1, {2, 4, 8}},
                                           {"c", 2.2, 300, 1, {2, 3, 4, 8}}};
  const Sum bits{{{0, Sum::none, 100}}, 0, 100, false};
  const std::vector<Budget> budgets = {{Cost{"weight", "average_bits", {bits}}, 3.9}};
  CHECK(quant::round_to_budgets(items, budgets).bits == std::vector<quant::Width>{3, 4, 2});
  // Together: (5.6 + 3 * 2.2) / 4 = 3.05, and neither 3 nor 5 is allowed for both.
  CHECK(quant::round_to_budgets(items, budgets, {{1, 2}}).bits ==
        std::vector<quant::Width>{3, 4, 4});
}

TEST_CASE("rounding to budgets: errors say what to try") {
  const std::vector<RoundingItem> items = {{"a", 3, 100, 1, {2, 4}}, {"b", 3, 100, 1, {3, 5}}};
  const Sum bits{{{0, Sum::none, 100}, {1, Sum::none, 100}}, 0, 200, false};
  CHECK_THROWS_WITH_AS(
      quant::round_to_budgets(items, {{Cost{"weight", "average_bits", {bits}}, 2.4}}),
      "[round] the budget for weight is below the least there is: got 2.4 average_bits; expected "
      "at "
      "least 2.5, which the smallest allowed widths take; try a larger budget or smaller allowed "
      "widths",
      Error);
  CHECK_THROWS_WITH_AS(
      quant::round_to_budgets(items, {}, {{0, 1}}),
      doctest::Contains("a and b must have the same width: got no allowed width that both have"),
      Error);
}

}  // namespace fraqat::knapsack_test
