#include "quant/rounding.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "core/random.hpp"

namespace fraqat::rounding_test {

using quant::Rounded;
using quant::Rounding;
using quant::RoundingItem;

namespace {

std::vector<RoundingItem> random_items(std::uint32_t seed, int count) {
  const Philox draw(seed, Stream::synthetic);
  std::vector<RoundingItem> items;
  for (int k = 0; k < count; ++k) {
    const Philox::Block r = draw({0, 0, 0, static_cast<std::uint32_t>(k)});
    RoundingItem item{std::string("t").append(std::to_string(k)),
                      2 + 6 * double(uniform(r[0])),
                      1 + static_cast<Index>(r[1] % 5000),
                      0.1 + double(uniform(r[2])),
                      {}};
    item.allowed = r[3] % 2 ? std::vector<quant::Width>{2, 3, 4, 5, 6, 7, 8}
                            : std::vector<quant::Width>{2, 4, 8};
    items.push_back(item);
  }
  return items;
}

/// The least loss by trying everything; infinity if nothing fits.
struct Exhaustive {
  const std::vector<RoundingItem>& items;
  Index limit;
  bool bytes;
  double least_use;
  double best = std::numeric_limits<double>::infinity();

  void search(std::size_t k = 0, Index cost = 0, double loss = 0) {
    if (k == items.size()) {
      if (cost <= limit && double(cost) >= least_use * double(limit)) best = std::min(best, loss);
      return;
    }
    for (const quant::Width& width : items[k].allowed) {
      const int a = width.whole_bits();
      const Index bits = items[k].elements * a;
      search(k + 1, cost + (bytes ? (bits + 7) / 8 : bits),
             loss + items[k].sensitivity * std::pow(4.0, items[k].bits - a));
    }
  }
};

double least(const std::vector<RoundingItem>& items, Index limit, bool bytes, double use) {
  Exhaustive all{items, limit, bytes, use};
  all.search();
  return all.best;
}

/// At most `limit` bits or bytes of all items.
std::vector<quant::Budget> budget(const std::vector<RoundingItem>& items, Index limit, bool bytes) {
  quant::Sum sum;
  for (std::size_t k = 0; k < items.size(); ++k)
    sum.terms.push_back({k, quant::Sum::none, items[k].elements});
  sum.bytes = bytes;
  sum.divisor = bytes ? 8 : 1;
  return {{{"weight", bytes ? "bytes" : "bits", {sum}}, static_cast<double>(limit)}};
}

double loss_of(const std::vector<RoundingItem>& items, const std::vector<quant::Width>& bits) {
  double loss = 0;
  for (std::size_t k = 0; k < items.size(); ++k)
    loss += items[k].sensitivity * std::pow(4.0, items[k].bits - bits[k].whole_bits());
  return loss;
}

}  // namespace

TEST_CASE("rounding: each width by itself") {
  const auto round = [](double b, std::vector<quant::Width> allowed, Rounding how) {
    return quant::round_each({{"t", b, 10, 1, std::move(allowed)}}, how).bits[0];
  };
  const std::vector<quant::Width> all = {2, 3, 4, 5, 6, 7, 8}, some = {2, 4, 8};
  CHECK(round(5.3, all, Rounding::nearest) == 5);
  CHECK(round(5.5, all, Rounding::nearest) == 6);
  CHECK(round(5.3, all, Rounding::ceil) == 6);
  CHECK(round(5.7, all, Rounding::floor) == 5);
  CHECK(round(5.0, all, Rounding::floor) == 5);
  CHECK(round(5.0, all, Rounding::ceil) == 5);
  CHECK(round(3.0, some, Rounding::ceil) == 4);
  CHECK(round(3.0, some, Rounding::floor) == 2);
  CHECK(round(3.0, some, Rounding::nearest) == 4);
  CHECK(round(1.0, some, Rounding::floor) == 2);
  CHECK(round(9.0, some, Rounding::ceil) == 8);
  CHECK(round(9.0, some, Rounding::nearest) == 8);
}

TEST_CASE("rounding: the knapsack finds what trying everything finds, and says if it is the best") {
  int filled = 0, exact = 0;
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    const std::vector<RoundingItem> items = random_items(seed, 2 + int(seed % 4));
    const bool bytes = seed % 2 == 0;
    double elements = 0;
    for (const RoundingItem& item : items) elements += double(item.elements);
    const double average = 2.3 + 0.1 * double(seed % 40);
    const auto limit = Index(elements * average / (bytes ? 8 : 1)) + 8;
    const std::vector<quant::Budget> budgets = budget(items, limit, bytes);
    const Rounded rounded = quant::round_to_budgets(items, budgets);
    const double cost = budgets[0].cost.exact(rounded.bits);
    CHECK(cost <= double(limit));
    const double full = least(items, limit, bytes, 0.99), any = least(items, limit, bytes, 0);
    const double loss = loss_of(items, rounded.bits);
    CHECK(rounded.exact == (loss <= any * (1 + 1e-9)));
    exact += rounded.exact;
    if (std::isfinite(full)) {
      ++filled;
      CHECK(cost >= 0.99 * double(limit));
      if (full == any) CHECK(loss == doctest::Approx(full));
      CHECK(loss <= full * 1.5);
    } else {
      CHECK(loss == doctest::Approx(any));
    }
  }
  CHECK(filled >= 30);
  CHECK(exact >= 30);
  CHECK(exact < 60);
}

TEST_CASE("rounding: of equal losses the cheaper, as long as it fills the budget") {
  // All lose the same, as losses do that were measured and made to fall.
  const auto bits_at = [](Index limit) {
    const std::vector<RoundingItem> items = {{"a", 3, 1000, 1, {2, 3, 4}, {1, 0, 0}},
                                             {"b", 3, 10, 1, {2, 3, 4}, {0, 0, 0}}};
    return quant::round_to_budgets(items, budget(items, limit, false)).bits;
  };
  CHECK(bits_at(3030) == std::vector<quant::Width>{3, 2});
  CHECK(bits_at(4020) == std::vector<quant::Width>{4, 2});
}

TEST_CASE("rounding: a budget below the least is refused") {
  const std::vector<RoundingItem> items = {{"a", 3, 100, 1, {2, 3}}, {"b", 3, 50, 1, {2, 3}}};
  CHECK(quant::round_to_budgets(items, budget(items, 300, false)).bits ==
        std::vector<quant::Width>{2, 2});
  CHECK_THROWS_WITH_AS(quant::round_to_budgets(items, budget(items, 299, false)),
                       "[round] the budget for weight is below the least there is: got 299 bits; "
                       "expected at least 300, which the smallest allowed widths take; try a "
                       "larger budget or smaller allowed widths",
                       Error);
}

TEST_CASE("rounding: names") {
  CHECK(quant::rounding_of("ceil") == Rounding::ceil);
  CHECK_THROWS_WITH_AS(quant::rounding_of("up"),
                       "[round] no such rounding: got up; expected nearest, ceil, floor or budget",
                       Error);
}

}  // namespace fraqat::rounding_test
