#include "quant/assignment.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "core/error.hpp"

namespace fraqat::assignment_test {

using quant::random_assignment;
using quant::RoundingItem;

namespace {

RoundingItem item(Index elements, std::vector<quant::Width> allowed) {
  return {"t", 0, elements, 1, std::move(allowed)};
}

Philox generator(std::uint32_t number) { return {1, Stream::assignment, number}; }

}  // namespace

TEST_CASE("random_assignment: within the limit, at least 99 % of it, each item as allowed") {
  const std::vector<quant::Width> all = {2, 3, 4, 5, 6, 7, 8};
  const std::vector<RoundingItem> items = {
      item(150, all), item(2400, {2, 4, 8}), item(48000, all),  item(10080, {3, 5}),
      item(840, all), item(9, {2}),          item(123457, all), item(64, all)};
  constexpr Index limit = 620000;
  for (std::uint32_t i = 0; i < 50; ++i) {
    const std::vector<quant::Width> drawn = random_assignment(items, limit, generator(i));
    Index cost = 0;
    for (std::size_t k = 0; k < items.size(); ++k) {
      const auto& allowed = items[k].allowed;
      CHECK(std::find(allowed.begin(), allowed.end(), drawn[k]) != allowed.end());
      cost += items[k].elements * drawn[k].whole_bits();
    }
    CHECK(cost <= limit);
    CHECK(double(cost) >= 0.99 * double(limit));
  }
}

TEST_CASE("random_assignment: hundreds of rows fill the limit, too, and the least there is fits") {
  const std::vector<quant::Width> all = {2, 3, 4, 5, 6, 7, 8};
  std::vector<RoundingItem> items;
  Index elements = 0;
  for (Index k = 0; k < 200; ++k) {
    items.push_back(item(27 + 9 * (k % 64), all));
    elements += items.back().elements;
  }
  for (const Index limit : {2 * elements, 2 * elements + 100, 5 * elements / 2, 3 * elements}) {
    CAPTURE(limit);
    const std::vector<quant::Width> drawn = random_assignment(items, limit, generator(1));
    Index cost = 0;
    for (std::size_t k = 0; k < items.size(); ++k)
      cost += items[k].elements * drawn[k].whole_bits();
    CHECK(cost <= limit);
    CHECK(double(cost) >= 0.99 * double(limit));
  }
}

TEST_CASE("random_assignment: every assignment that fills the budget is as likely as another") {
  // Of the 49 of two items only those that sum to 10 fit exactly: (2, 8) ... (8, 2).
  const std::vector<quant::Width> all = {2, 3, 4, 5, 6, 7, 8};
  const std::vector<RoundingItem> items = {item(1, all), item(1, all)};
  std::map<int, int> seen;
  constexpr int draws = 7000;
  for (std::uint32_t i = 0; i < draws; ++i)
    ++seen[random_assignment(items, 10, generator(i))[0].whole_bits()];
  CHECK(seen.size() == 7);
  double chi2 = 0;
  for (const auto& [bits, count] : seen) chi2 += (count - 1000.0) * (count - 1000.0) / 1000.0;
  CHECK(chi2 < 22.5);  // 6 degrees of freedom: exceeded once in a thousand
}

TEST_CASE(
    "random_assignment: where nothing fills 99 %, the fullest; where nothing fits, an error") {
  const std::vector<RoundingItem> items = {item(100, {2, 8})};
  CHECK(random_assignment(items, 700, generator(0))[0] == 2);
  CHECK_THROWS_WITH_AS(random_assignment(items, 199, generator(0)),
                       doctest::Contains("no assignment fits the budget: got 199 bits"), Error);
}

TEST_CASE("random_assignment: the same generator draws the same, another one another") {
  const std::vector<quant::Width> all = {2, 3, 4, 5, 6, 7, 8};
  const std::vector<RoundingItem> items(12, item(100, all));
  const auto bits = [&](std::uint32_t i) { return random_assignment(items, 5000, generator(i)); };
  CHECK(bits(1) == bits(1));
  CHECK(bits(1) != bits(2));
}

}  // namespace fraqat::assignment_test
