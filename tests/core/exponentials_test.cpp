#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/kernels/kernels.hpp"
#include "tests/core/every_isa.hpp"
#include "tests/core/kernel_numbers.hpp"

namespace fraqat::exponentials_test {

// The kernels of softmax against the C library, in double.
using namespace fraqat::test;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
const float nan_value = std::nanf("");

// Every result within 2 units in the last place, or 0 below the smallest normal number.
bool as_exact(float got, double x) {
  const double exact = std::exp(x);
  if (exact < double(std::numeric_limits<float>::min()) * 1.1)
    return got >= 0 && double(got) <= exact + double(std::numeric_limits<float>::min());
  return std::abs(double(got) - exact) <= 2 * exact * std::exp2(-23);
}

void check_row(const kernels::Table::Exponentials& kernel, Dice& dice) {
  const Index n = dice(1, 100);
  Numbers x = dice.numbers(n);
  const float spread = dice(0, 3) == 0 ? 100 : 8;
  for (float& v : x) v *= spread;
  const float top = kernel.largest(x.data(), n);
  CHECK(top == *std::max_element(x.begin(), x.end()));
  Numbers y = guarded(n, -7);
  const float sum = kernel.of_row(x.data(), top, y.data(), n);
  double expected = 0;
  bool right = true;
  for (std::size_t i = 0; i < x.size(); ++i) {
    right = right && as_exact(y[i], double(x[i] - top));
    expected += double(y[i]);
  }
  CHECK(right);
  CHECK(guard_holds(y));
  CHECK(std::abs(double(sum) - expected) <= 1e-5 * expected);
  kernel.of_row(x.data(), top, x.data(), n);
  CHECK(std::equal(x.begin(), x.end(), y.begin()));
}

}  // namespace

TEST_CASE("exponentials: rows of any length, also in place") {
  on_every_isa([](const kernels::Table& table) {
    Dice dice;
    for (int i = 0; i < 300; ++i) check_row(table.exponentials, dice);
  });
}

TEST_CASE("exponentials: every thousandth float from 0 to where nothing is left") {
  on_every_isa([](const kernels::Table& table) {
    bool right = true;
    Index count = 0;
    for (float x = 0; x > -120; x = x == 0 ? -1e-30f : x * 1.0001f, ++count) {
      float y = -7;
      table.exponentials.of_row(&x, 0, &y, 1);
      right = right && as_exact(y, double(x));
    }
    CHECK(right);
    CHECK(count > 100'000);
  });
}

TEST_CASE("exponentials: ends of the range") {
  on_every_isa([](const kernels::Table& table) {
    for (const Index n : {1, 3, 16, 37}) {
      Numbers x(static_cast<std::size_t>(n), -infinity), y(x.size(), -7);
      at(x, n / 2) = 0;
      CHECK(table.exponentials.largest(x.data(), n) == 0);
      CHECK(table.exponentials.of_row(x.data(), 0, y.data(), n) == 1);
      CHECK(at(y, n / 2) == 1);
      CHECK(std::count(y.begin(), y.end(), 0.0f) == n - 1);
    }
  });
}

TEST_CASE("exponentials: a top so large that nothing can be told from it") {
  on_every_isa([](const kernels::Table& table) {
    for (const float top : {1e10f, -1e10f, 3e38f, -3e38f})
      for (const Index n : {1, 10, 16, 37}) {
        Numbers x(static_cast<std::size_t>(n), top), y(x.size(), -7);
        CHECK(table.exponentials.largest(x.data(), n) == top);
        CHECK(table.exponentials.of_row(x.data(), top, y.data(), n) == float(n));
        CHECK(std::count(y.begin(), y.end(), 1.0f) == n);
      }
  });
}

TEST_CASE("exponentials: what is no number stays none") {
  on_every_isa([](const kernels::Table& table) {
    for (Index i = 0; i < 37; ++i) {
      Numbers x(37, 0), y(37, 0);
      at(x, i) = nan_value;
      CHECK(std::isnan(table.exponentials.of_row(x.data(), 0, y.data(), 37)));
      CHECK(std::isnan(at(y, i)));
      if (i > 0) CHECK(table.exponentials.largest(x.data(), 37) == 0);
    }
  });
}

}  // namespace fraqat::exponentials_test
