#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "core/kernels/kernels.hpp"
#include "tests/core/every_isa.hpp"
#include "tests/core/kernel_numbers.hpp"

namespace fraqat::steps_test {

// The kernels of optimizer steps against the formulas of optim/, in double.
using namespace fraqat::test;

namespace {

std::vector<double> doubles(const Numbers& numbers) { return {numbers.begin(), numbers.end()}; }

// A copy with guards behind it.
Numbers guarded_copy(const Numbers& numbers) {
  Numbers copy = guarded(static_cast<Index>(numbers.size()), 0);
  std::copy(numbers.begin(), numbers.end(), copy.begin());
  return copy;
}

float unit(Dice& dice) { return dice.numbers(1)[0]; }

void check_sgd(const kernels::Table::Steps& steps, Dice& dice) {
  const Index n = dice(1, 100);
  const bool with_momentum = dice(0, 1) == 1;
  const kernels::SgdStep s{unit(dice), unit(dice), unit(dice), unit(dice), dice(0, 1) == 1};
  const Numbers w = dice.numbers(n), m = dice.numbers(n), g = dice.numbers(n);
  std::vector<double> expected_w = doubles(w), expected_m = doubles(m);
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double slope = double(g[i]) + double(s.coupled) * double(w[i]);
    const double momentum = double(s.momentum) * double(m[i]) + slope;
    const double nesterov = slope + double(s.momentum) * momentum;
    const double move = with_momentum ? (s.nesterov ? nesterov : momentum) : slope;
    if (with_momentum) expected_m[i] = momentum;
    expected_w[i] = double(s.shrink) * double(w[i]) - double(s.rate) * move;
  }
  Numbers new_w = guarded_copy(w), new_m = guarded_copy(m);
  steps.sgd(s, new_w.data(), with_momentum ? new_m.data() : nullptr, g.data(), n);
  CHECK(close(new_w, expected_w));
  CHECK(close(new_m, expected_m));
}

void check_adam(const kernels::Table::Steps& steps, Dice& dice) {
  const Index n = dice(1, 100);
  const kernels::AdamStep s{unit(dice), 1 + unit(dice) / 2, 0.1f,      unit(dice), unit(dice), 0.9f,
                            0.1f,       unit(dice),         unit(dice)};
  const Numbers w = dice.numbers(n), m = dice.numbers(n), g = dice.numbers(n);
  Numbers v = dice.numbers(n);
  for (float& square : v) square *= square;
  std::vector<double> expected_w = doubles(w), expected_m = doubles(m), expected_v = doubles(v);
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double slope = double(g[i]) + double(s.coupled) * double(w[i]);
    expected_m[i] = double(s.beta1) * double(m[i]) + double(s.rest1) * slope;
    expected_v[i] = double(s.beta2) * double(v[i]) + double(s.rest2) * slope * slope;
    expected_w[i] = double(s.shrink) * double(w[i]) -
                    double(s.rate) * expected_m[i] /
                        (std::sqrt(expected_v[i]) * double(s.root) + double(s.epsilon));
  }
  Numbers new_w = guarded_copy(w), new_m = guarded_copy(m), new_v = guarded_copy(v);
  steps.adam(s, new_w.data(), new_m.data(), new_v.data(), g.data(), n);
  CHECK(close(new_w, expected_w));
  CHECK(close(new_m, expected_m));
  CHECK(close(new_v, expected_v));
}

void check_rmsprop(const kernels::Table::Steps& steps, Dice& dice) {
  const Index n = dice(1, 100);
  const bool centered = dice(0, 1) == 1, with_momentum = dice(0, 1) == 1;
  const kernels::RmsPropStep s{unit(dice), unit(dice), 0.9f, 0.1f, 0.1f, unit(dice)};
  const Numbers w = dice.numbers(n), m = dice.numbers(n), g = dice.numbers(n);
  Numbers v = dice.numbers(n), a = dice.numbers(n);
  for (float& square : v) square = square * square + 0.1f;
  for (float& mean : a) mean *= 0.1f;  // so that no variance is negative
  std::vector<double> expected_w = doubles(w), expected_v = doubles(v), expected_a = doubles(a),
                      expected_m = doubles(m);
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double slope = double(g[i]) + double(s.decay) * double(w[i]);
    double spread = expected_v[i] = double(s.alpha) * double(v[i]) + double(s.rest) * slope * slope;
    if (centered) {
      expected_a[i] = double(s.alpha) * double(a[i]) + double(s.rest) * slope;
      spread -= expected_a[i] * expected_a[i];
    }
    double move = slope / (std::sqrt(spread) + double(s.epsilon));
    if (with_momentum) move = expected_m[i] = double(s.momentum) * double(m[i]) + move;
    expected_w[i] = double(w[i]) - double(s.rate) * move;
  }
  Numbers new_w = guarded_copy(w), new_v = guarded_copy(v), new_a = guarded_copy(a),
          new_m = guarded_copy(m);
  steps.rmsprop(s, new_w.data(), new_v.data(), centered ? new_a.data() : nullptr,
                with_momentum ? new_m.data() : nullptr, g.data(), n);
  CHECK(close(new_w, expected_w));
  CHECK(close(new_v, expected_v));
  CHECK(close(new_a, expected_a));
  CHECK(close(new_m, expected_m));
}

void check_adagrad(const kernels::Table::Steps& steps, Dice& dice) {
  const Index n = dice(1, 100);
  const kernels::AdagradStep s{unit(dice), unit(dice), 0.1f};
  const Numbers w = dice.numbers(n), g = dice.numbers(n);
  Numbers v = dice.numbers(n);
  for (float& square : v) square *= square;
  std::vector<double> expected_w = doubles(w), expected_v = doubles(v);
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double slope = double(g[i]) + double(s.decay) * double(w[i]);
    expected_v[i] += slope * slope;
    expected_w[i] -= double(s.rate) * slope / (std::sqrt(expected_v[i]) + double(s.epsilon));
  }
  Numbers new_w = guarded_copy(w), new_v = guarded_copy(v);
  steps.adagrad(s, new_w.data(), new_v.data(), g.data(), n);
  CHECK(close(new_w, expected_w));
  CHECK(close(new_v, expected_v));
}

// Quarters, so that the mean whose sign decides is exact, and sometimes 0.
void check_lion(const kernels::Table::Steps& steps, Dice& dice) {
  const Index n = dice(1, 100);
  const kernels::LionStep s{unit(dice), unit(dice), 0.5f, 0.5f, 0.75f, 0.25f};
  const Numbers w = dice.numbers(n);
  Numbers m = dice.numbers(n), g = dice.numbers(n);
  for (Numbers* numbers : {&m, &g})
    for (float& v : *numbers) v = std::round(4 * v) / 4;
  std::vector<double> expected_w = doubles(w), expected_m = doubles(m);
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double mean = 0.5 * double(m[i]) + 0.5 * double(g[i]);
    const double sign = mean > 0 ? 1 : mean < 0 ? -1 : 0;
    expected_w[i] = double(s.shrink) * double(w[i]) - double(s.rate) * sign;
    expected_m[i] = 0.75 * double(m[i]) + 0.25 * double(g[i]);
  }
  Numbers new_w = guarded_copy(w), new_m = guarded_copy(m);
  steps.lion(s, new_w.data(), new_m.data(), g.data(), n);
  CHECK(close(new_w, expected_w));
  CHECK(close(new_m, expected_m));
}

}  // namespace

TEST_CASE("steps: every optimizer equals its formula") {
  on_every_isa([](const kernels::Table& table) {
    Dice dice;
    for (int i = 0; i < 300; ++i) {
      check_sgd(table.steps, dice);
      check_adam(table.steps, dice);
      check_rmsprop(table.steps, dice);
      check_adagrad(table.steps, dice);
      check_lion(table.steps, dice);
    }
  });
}

TEST_CASE("steps: Lion does not hide what is no number") {
  on_every_isa([](const kernels::Table& table) {
    const kernels::LionStep s{1, 1, 0.5f, 0.5f, 0.75f, 0.25f};
    Numbers w(20, 1), m(20, 0);
    const Numbers g(20, std::nanf(""));
    table.steps.lion(s, w.data(), m.data(), g.data(), 20);
    for (const float v : w) CHECK(std::isnan(v));
  });
}

}  // namespace fraqat::steps_test
