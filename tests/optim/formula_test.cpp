#include <doctest/doctest.h>

#include <array>
#include <cmath>

#include "tests/optim/makers.hpp"

namespace fraqat::formula_test {

using namespace fraqat::optim;
using namespace fraqat::test;

namespace {

/// What an update does to one number, written down by hand and in double.
struct Scalar {
  double w, m = 0, v = 0, a = 0;
  int t = 0;
};

using Formula = std::function<void(Scalar&, double g)>;

constexpr double rate = 0.1, decay = 0.05;

/// Follows `formula` number by number for 24 steps.
void check_formula(const Make& make, const Formula& formula, double group_decay) {
  const Var w = parameter({1, -2, 0.5f});
  std::array<Scalar, 3> expected = {Scalar{1}, Scalar{-2}, Scalar{0.5}};
  const auto optimizer = make({{{w}, 1, group_decay}});
  for (int t = 0; t < 24; ++t) {
    const Tensor g = gradient(w, t);
    Var(w).grad() = g;
    optimizer->step(rate);
    for (Index i = 0; i < 3; ++i) {
      Scalar& e = expected[static_cast<std::size_t>(i)];
      formula(e, double{g[i]});
      CHECK(double{w.value()[i]} == doctest::Approx(e.w).epsilon(2e-5));
    }
  }
}

constexpr double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;

double adam_step(Scalar& s, double g) {
  ++s.t;
  s.m = beta1 * s.m + (1 - beta1) * g;
  s.v = beta2 * s.v + (1 - beta2) * g * g;
  const double m = s.m / (1 - std::pow(beta1, s.t)), v = s.v / (1 - std::pow(beta2, s.t));
  return rate * m / (std::sqrt(v) + epsilon);
}

}  // namespace

TEST_CASE("sgd: every step is the formula's") {
  check_formula(
      make<Sgd>(SgdOptions{}), [](Scalar& s, double g) { s.w -= rate * g; }, 0);
  check_formula(
      make<Sgd>(SgdOptions{}), [](Scalar& s, double g) { s.w -= rate * (g + decay * s.w); }, decay);
  check_formula(
      make<Sgd>(SgdOptions{0.9}),
      [](Scalar& s, double g) {
        s.m = 0.9 * s.m + g + decay * s.w;
        s.w -= rate * s.m;
      },
      decay);
  check_formula(
      make<Sgd>(SgdOptions{0.9, true}),
      [](Scalar& s, double g) {
        const double slope = g + decay * s.w;
        s.m = 0.9 * s.m + slope;
        s.w -= rate * (slope + 0.9 * s.m);
      },
      decay);
  check_formula(
      make<Sgd>(SgdOptions{0.9, true, true}),
      [](Scalar& s, double g) {
        s.m = 0.9 * s.m + g;
        s.w = s.w - rate * decay * s.w - rate * (g + 0.9 * s.m);
      },
      decay);
}

TEST_CASE("adam, adamw: every step is the formula's") {
  check_formula(
      make<Adam>(AdamOptions{}), [](Scalar& s, double g) { s.w -= adam_step(s, g + decay * s.w); },
      decay);
  check_formula(
      make<AdamW>(AdamOptions{}),
      [](Scalar& s, double g) { s.w = s.w - rate * decay * s.w - adam_step(s, g); }, decay);
}

TEST_CASE("rmsprop: every step is the formula's") {
  const auto square = [](Scalar& s, double g) { s.v = 0.99 * s.v + 0.01 * g * g; };
  check_formula(
      make<RmsProp>(RmsPropOptions{}),
      [=](Scalar& s, double g) {
        square(s, g += decay * s.w);
        s.w -= rate * g / (std::sqrt(s.v) + 1e-8);
      },
      decay);
  check_formula(
      make<RmsProp>(RmsPropOptions{.epsilon = 0.1, .momentum = 0.8, .centered = true}),
      [=](Scalar& s, double g) {
        square(s, g);
        s.a = 0.99 * s.a + 0.01 * g;
        s.m = 0.8 * s.m + g / (std::sqrt(s.v - s.a * s.a) + 0.1);
        s.w -= rate * s.m;
      },
      0);
}

TEST_CASE("rmsprop: a variance that rounds below zero is no root of a negative number") {
  const Var w = parameter({0, 0, 0, 0});
  RmsProp rmsprop({{{w}}}, {.alpha = 0.5, .centered = true});
  for (int t = 0; t < 200; ++t) {
    Var(w).grad() = Tensor({4}, std::array{0.1f, 0.3f, 1e-3f, 7.7f});
    rmsprop.step(1e-12);
    for (Index i = 0; i < 4; ++i) CHECK(std::isfinite(w.value()[i]));
  }
}

TEST_CASE("adagrad: every step is the formula's") {
  check_formula(
      make<Adagrad>(AdagradOptions{.rate_decay = 0.25, .epsilon = 1e-3, .initial_sum = 0.5}),
      [](Scalar& s, double g) {
        g += decay * s.w;
        s.v += g * g;
        s.w -= rate / (1 + 0.25 * s.t++) * g / (std::sqrt(0.5 + s.v) + 1e-3);
      },
      decay);
}

TEST_CASE("lion: every step is the formula's") {
  for (const auto& [b1, b2] : {std::pair(0.9, 0.99), std::pair(0.5, 0.8)})
    for (const double d : {0.0, decay})
      check_formula(
          make<Lion>(LionOptions{b1, b2}),
          [d, b1 = b1, b2 = b2](Scalar& s, double g) {
            const double c = b1 * s.m + (1 - b1) * g;
            s.w = s.w - rate * d * s.w - rate * ((c > 0) - (c < 0));
            s.m = b2 * s.m + (1 - b2) * g;
          },
          d);
}

TEST_CASE("lion: no slope, no step; no number, no silence") {
  const Var w = parameter({1, 1, 1});
  Lion lion({{{w}}});
  Var(w).grad() = Tensor({3}, std::array{0.0f, -1e-30f, std::nanf("")});
  lion.step(0.125);
  CHECK(w.value()[0] == 1);
  CHECK(w.value()[1] == 1.125f);
  CHECK(std::isnan(w.value()[2]));
}

}  // namespace fraqat::formula_test
