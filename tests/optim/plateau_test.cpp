#include "optim/plateau.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "core/error.hpp"

namespace fraqat::plateau_test {

using namespace fraqat::optim;

namespace {

std::vector<double> rates_after(Plateau& plateau, const std::vector<double>& metrics) {
  std::vector<double> rates;
  for (const double metric : metrics) {
    plateau.measure(metric);
    rates.push_back(plateau.rate());
  }
  return rates;
}

}  // namespace

TEST_CASE("plateau: patience is borne, then the rate falls, down to the lowest") {
  Plateau plateau({.base_rate = 1, .factor = 0.5, .patience = 1, .min_rate = 0.2});
  CHECK(plateau.rate() == 1);
  CHECK(rates_after(plateau, {3, 2, 2, 1, 1, 1}) == std::vector<double>{1, 1, 1, 1, 1, 0.5});
  CHECK(rates_after(plateau, {1, 1, 1, 1, 1}) == std::vector<double>{0.5, 0.25, 0.25, 0.2, 0.2});
}

TEST_CASE("plateau: during the cooldown nothing is held against the rate, but the best is kept") {
  Plateau plateau({.base_rate = 1, .factor = 0.5, .patience = 0, .cooldown = 2});
  CHECK(rates_after(plateau, {3, 4, 1, 4, 2}) == std::vector<double>{1, 0.5, 0.5, 0.5, 0.25});
}

TEST_CASE("plateau: a relative threshold asks for improvement on either side of zero") {
  Plateau loss({.base_rate = 1, .factor = 0.5, .patience = 0, .threshold = 0.125});
  CHECK(rates_after(loss, {8, 7, 6, -8, -8.5, -10}) ==
        std::vector<double>{1, 0.5, 0.5, 0.5, 0.25, 0.25});
  Plateau gain(
      {.base_rate = 1, .higher_is_better = true, .factor = 0.5, .patience = 0, .threshold = 0.125});
  CHECK(rates_after(gain, {-8, -7.5, -6, 8, 8.5}) == std::vector<double>{1, 0.5, 0.5, 0.5, 0.25});
}

TEST_CASE("plateau: what is not finite is no improvement, not even at first") {
  Plateau plateau({.base_rate = 1, .factor = 0.5, .patience = 1});
  CHECK(rates_after(plateau, {std::nan(""), -INFINITY, 5, std::nan(""), 4}) ==
        std::vector<double>{1, 0.5, 0.5, 0.5, 0.5});
}

TEST_CASE("plateau: the same metric again is no improvement, though the best is a float") {
  // In float 0.1 is more and 0.7 is less than in double.
  Plateau loss({.base_rate = 1, .factor = 0.5, .patience = 0, .threshold = 0});
  CHECK(rates_after(loss, {0.1, 0.1, 0.1}) == std::vector<double>{1, 0.5, 0.25});
  Plateau gain(
      {.base_rate = 1, .higher_is_better = true, .factor = 0.5, .patience = 0, .threshold = 0});
  CHECK(rates_after(gain, {0.7, 0.7, 0.7}) == std::vector<double>{1, 0.5, 0.25});
  // What is too large for a float is not finite.
  Plateau large({.base_rate = 1, .factor = 0.5, .patience = 0});
  CHECK(rates_after(large, {1e300, 3, 2}) == std::vector<double>{0.5, 0.5, 0.5});
}

TEST_CASE("plateau: state moved to a second one continues to the bit") {
  const PlateauOptions options{
      .base_rate = 0.3, .factor = 0.7, .patience = 1, .threshold = 0.01, .cooldown = 2};
  const auto metric = [](int i) { return 1 + std::sin(7.3 * i) / (1 + i); };
  for (int cut = 0; cut < 20; ++cut) {
    Plateau first(options), second(options);
    for (int i = 0; i < cut; ++i) first.measure(metric(i));
    std::vector<Tensor> saved;
    first.visit_state([&](const std::string&, Tensor& t) {
      CHECK(std::isfinite(t.item()));
      saved.push_back(t.clone());
    });
    std::size_t next = 0;
    second.visit_state([&](const std::string&, Tensor& t) { t[0] = saved[next++].item(); });
    for (int i = cut; i < 30; ++i) {
      first.measure(metric(i));
      second.measure(metric(i));
      CHECK(first.rate() == second.rate());
    }
  }
}

TEST_CASE("plateau: bad numbers are refused") {
  const auto refused = [](const PlateauOptions& options, const char* text) {
    CHECK_THROWS_WITH_AS(Plateau{options}, text, Error);
  };
  refused({.base_rate = -1}, "[plateau] bad base rate: got -1; expected a finite number >= 0");
  refused({.base_rate = 0.5, .min_rate = 1},
          "[plateau] bad lowest rate: got 1; expected 0 to the base rate 0.5");
  refused({.factor = 1}, "[plateau] bad factor: got 1; expected a number in (0, 1)");
  refused({.factor = std::nan("")}, "[plateau] bad factor: got nan; expected a number in (0, 1)");
  refused({.patience = -1}, "[plateau] bad patience: got -1 measurements; expected 0 or more");
  refused({.threshold = INFINITY},
          "[plateau] bad threshold: got inf; expected a finite number >= 0");
  refused({.cooldown = -2}, "[plateau] bad cooldown: got -2 measurements; expected 0 or more");
}

}  // namespace fraqat::plateau_test
