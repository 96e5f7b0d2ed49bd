#include "quant/exchange.hpp"

#include <doctest/doctest.h>

#include <cmath>

namespace fraqat::exchange_test {

using quant::Budget;
using quant::Cost;
using quant::RoundingItem;
using quant::Sum;

TEST_CASE("exchange: goes downhill on the true loss, within the budgets and the number of tries") {
  // The expected losses say that all are alike; in truth the first is worth most.
  std::vector<RoundingItem> items;
  for (const char* name : {"a", "b", "c"}) items.push_back({name, 4, 100, 1, {2, 3, 4, 5, 6}});
  const Sum bits{{{0, Sum::none, 100}, {1, Sum::none, 100}, {2, Sum::none, 100}}, 0, 300, false};
  const std::vector<Budget> budgets = {{Cost{"weight", "average_bits", {bits}}, 4}};
  int asked = 0;
  const auto truth = [&](const std::vector<quant::Width>& b) {
    ++asked;
    CHECK(quant::within(budgets, b));
    return 16 * std::pow(4.0, -b[0].bits()) + std::pow(4.0, -b[1].bits()) +
           0.25 * std::pow(4.0, -b[2].bits());
  };
  const quant::Exchange found = quant::exchange_widths(items, budgets, {}, {4, 4, 4}, 200, truth);
  CHECK(found.exchanged >= 1);
  CHECK(found.tried + 1 == asked);
  // Two bits more for the first, one less for the last: no exchange is better.
  CHECK(found.loss == doctest::Approx(24.0 / 1024));
  asked = 0;
  const quant::Exchange few = quant::exchange_widths(items, budgets, {}, {4, 4, 4}, 2, truth);
  CHECK(few.tried == 2);
  const quant::Exchange none = quant::exchange_widths(items, budgets, {}, {4, 4, 4}, 0, truth);
  CHECK(none.bits == std::vector<quant::Width>{4, 4, 4});
  CHECK(asked == 3);
}

TEST_CASE("exchange: what was used of a budget stays used") {
  // The true loss likes the large tensor best at few bits: nothing but the budget keeps it up.
  const std::vector<RoundingItem> items = {{"large", 4, 1000, 1, {2, 3, 4, 5, 6}},
                                           {"small", 4, 10, 1, {2, 3, 4, 5, 6}},
                                           {"other", 4, 10, 1, {2, 3, 4, 5, 6}}};
  const Sum bits{{{0, Sum::none, 1000}, {1, Sum::none, 10}, {2, Sum::none, 10}}, 0, 1020, false};
  const std::vector<Budget> budgets = {{Cost{"weight", "average_bits", {bits}}, 4}};
  const auto truth = [](const std::vector<quant::Width>& b) {
    return b[0].bits() + std::pow(4.0, -b[1].bits()) + 0.25 * std::pow(4.0, -b[2].bits());
  };
  const quant::Exchange found = quant::exchange_widths(items, budgets, {}, {4, 4, 4}, 200, truth);
  CHECK(found.tried > 0);
  CHECK(found.bits[0] == quant::Width(4));
  CHECK(budgets[0].cost.exact(found.bits) >= 0.99 * 4);
}

TEST_CASE("exchange: what no budget counts stays, and a slack budget forbids nothing") {
  const std::vector<RoundingItem> items = {{"weight", 4, 100, 1, {2, 3, 4, 5}},
                                           {"activation", 4, 100, 1, {2, 3, 4, 5}},
                                           {"free", 4, 100, 1, {2, 3, 4, 5}}};
  const Sum bits{{{0, Sum::none, 100}, {1, Sum::none, 100}}, 0, 200, false};
  const Sum weight{{{0, Sum::none, 100}}, 0, 100, false};
  const std::vector<Budget> budgets = {{Cost{"both", "average_bits", {bits}}, 4},
                                       {Cost{"weight", "average_bits", {weight}}, 8}};
  const auto truth = [](const std::vector<quant::Width>& b) {
    return std::pow(4.0, -b[0].bits()) + 16 * std::pow(4.0, -b[1].bits()) - b[2].bits();
  };
  const quant::Exchange found = quant::exchange_widths(items, budgets, {}, {4, 4, 4}, 50, truth);
  CHECK(found.bits == std::vector<quant::Width>{3, 5, 4});
  const quant::Exchange none = quant::exchange_widths(items, {}, {}, {4, 4, 4}, 50, truth);
  CHECK(none.tried == 0);
}

TEST_CASE("why_unused: the step that is too large, the other budget, the widest, the loss") {
  const std::vector<RoundingItem> items = {{"large", 4, 900, 1, {2, 4, 8}},
                                           {"small", 4, 100, 1, {2, 4, 8}}};
  const Sum all{{{0, Sum::none, 900}, {1, Sum::none, 100}}, 0, 1000, false};
  const Sum small{{{1, Sum::none, 100}}, 0, 100, false};
  const auto why = [&](double target, double other, std::vector<quant::Width> bits,
                       const quant::Couples& couples = {}) {
    const std::vector<Budget> budgets = {{Cost{"weight", "average_bits", {all}}, target},
                                         {Cost{"bytes", "bytes", {small}}, other}};
    REQUIRE(quant::within(budgets, bits));
    return quant::why_unused(items, budgets, couples, bits, 0);
  };
  CHECK(why(2.01, 8, {2, 2}).empty());  // less than a hundredth is left
  CHECK(why(2.19, 8, {2, 2}) ==
        "the smallest step, to the next allowed width of small, takes 0.2 more");
  CHECK(why(3, 8, {2, 2}, {{0, 1}}) ==
        "the smallest step, to the next allowed width of large, takes 2 more");
  CHECK(why(2.5, 3, {2, 2}) == "the budget bytes allows no wider tensor");
  CHECK(why(9, 8, {8, 8}) == "every tensor that counts has the widest allowed width");
  CHECK(why(3, 8, {2, 2}) == "wider tensors would not lower the loss");
}

}  // namespace fraqat::exchange_test
