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

}  // namespace

TEST_CASE("steps: SGD and Adam equal their formulas") {
  on_every_isa([](const kernels::Table& table) {
    Dice dice;
    for (int i = 0; i < 300; ++i) {
      check_sgd(table.steps, dice);
      check_adam(table.steps, dice);
    }
  });
}

}  // namespace fraqat::steps_test
