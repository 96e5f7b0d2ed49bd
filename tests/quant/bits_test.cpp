#include "quant/bits.hpp"

#include <doctest/doctest.h>

#include <cmath>

namespace fraqat::bits_test {

using quant::BitPolicy;
using quant::LogitBits;
using quant::LogitsForward;
using quant::StochasticBits;
using quant::Widths;

namespace {

constexpr LogitsForward forwards[] = {LogitsForward::argmax, LogitsForward::gumbel,
                                      LogitsForward::mixture};

TrainingStep::Position at(std::uint32_t step) { return {7, 1, step}; }

std::vector<float> weights(BitPolicy& policy) {
  const Tensor p = policy.choose().p.value();
  return {p.data(), p.data() + p.size()};
}

}  // namespace

TEST_CASE("bits: logits start at any width, inside and at the bounds") {
  for (const double b : {2.5, 3.0, 5.3, 7.75})
    CHECK(LogitBits(Widths::range(2, 8), LogitsForward::argmax, b).bits() ==
          doctest::Approx(b).epsilon(1e-4));
  CHECK(LogitBits(Widths::range(2, 8), LogitsForward::argmax, 8).bits() ==
        doctest::Approx(7.75).epsilon(1e-4));
  CHECK_THROWS_AS(LogitBits(Widths::range(2, 8), LogitsForward::argmax, 9), Error);
  CHECK_THROWS_AS(StochasticBits(Widths::one(4), 4), Error);
}

TEST_CASE("bits: all forwards agree with fixed when the distribution is one-hot") {
  const std::unique_ptr<BitPolicy> fixed = quant::fixed_bits(Widths::range(2, 8), 5);
  for (const LogitsForward forward : forwards) {
    LogitBits policy(Widths::range(2, 8), forward, 5);
    policy.parameter().value().fill(-1000);
    policy.parameter().value()[3] = 1000;
    for (std::uint32_t step = 0; step < 20; ++step) {
      TrainingStep training(at(step));
      CHECK(weights(policy) == weights(*fixed));
    }
    CHECK(policy.bits() == 5);
    CHECK(policy.hard() == fixed->hard());
  }
  StochasticBits stochastic(Widths::range(2, 8), 5);
  for (std::uint32_t step = 0; step < 20; ++step) {
    TrainingStep training(at(step));
    CHECK(weights(stochastic) == weights(*fixed));
  }
}

TEST_CASE("bits: evaluation is hard, whatever the policy") {
  for (const LogitsForward forward : forwards) {
    LogitBits policy(Widths::range(2, 8), forward, 4.2);
    const std::vector<float> p = weights(policy);
    CHECK(p == std::vector<float>{0, 0, 1, 0, 0, 0, 0});
  }
  StochasticBits policy(Widths::range(2, 8), 4.6);
  CHECK(weights(policy) == std::vector<float>{0, 0, 0, 1, 0, 0, 0});
}

TEST_CASE("bits: the mixture is the softmax, b its mean") {
  LogitBits policy(Widths::range(2, 4), LogitsForward::mixture, 3);
  const float logits[] = {0.5f, -0.25f, 1.0f};
  double sum = 0, mean = 0;
  for (int j = 0; j < 3; ++j) {
    policy.parameter().value()[j] = logits[j];
    sum += std::exp(double(logits[j]));
    mean += (j + 2) * std::exp(double(logits[j]));
  }
  TrainingStep training(at(0));
  const std::vector<float> p = weights(policy);
  for (int j = 0; j < 3; ++j)
    CHECK(p[std::size_t(j)] == doctest::Approx(std::exp(double(logits[j])) / sum));
  CHECK(policy.bits() == doctest::Approx(mean / sum));
  CHECK(policy.bits_on_tape().value().item() == doctest::Approx(mean / sum));
}

TEST_CASE("bits: slopes are the derivatives of b") {
  const LogitBits policy(Widths::range(2, 8), LogitsForward::argmax, 4);
  std::vector<double> l = {0.1, -0.4, 0.9, 0.3, -1.0, 0.2, 0.0};
  for (std::size_t i = 0; i < l.size(); ++i) {
    std::vector<double> up = l, down = l;
    up[i] += 1e-6;
    down[i] -= 1e-6;
    CHECK(policy.slope(l, i) ==
          doctest::Approx((policy.bits_of(up) - policy.bits_of(down)) / 2e-6).epsilon(1e-6));
  }
}

TEST_CASE("bits: samples come as often as they should") {
  constexpr std::uint32_t draws = 4000;
  StochasticBits stochastic(Widths::range(2, 8), 3.3);
  LogitBits gumbel(Widths::range(2, 8), LogitsForward::gumbel, 3.3);
  LogitBits expected(Widths::range(2, 8), LogitsForward::mixture, 3.3);
  std::vector<double> coin(7), sample(7);
  for (std::uint32_t step = 0; step < draws; ++step) {
    TrainingStep training(at(step));
    const std::vector<float> a = weights(stochastic), b = weights(gumbel);
    for (std::size_t j = 0; j < 7; ++j) {
      coin[j] += double(a[j]) / draws;
      sample[j] += double(b[j]) / draws;
    }
  }
  CHECK(coin[1] == doctest::Approx(0.7).epsilon(0.05));
  CHECK(coin[2] == doctest::Approx(0.3).epsilon(0.1));
  TrainingStep training(at(0));
  const std::vector<float> p = weights(expected);
  for (std::size_t j = 0; j < 7; ++j) CHECK(std::abs(sample[j] - double(p[j])) < 0.03);
}

TEST_CASE("bits: a step of the same place draws the same") {
  LogitBits policy(Widths::range(2, 8), LogitsForward::gumbel, 5);
  const auto draw = [&](std::uint32_t step) {
    TrainingStep training(at(step));
    return weights(policy);
  };
  int different = 0;
  for (std::uint32_t step = 0; step < 30; ++step) {
    CHECK(draw(step) == draw(step));
    different += draw(step) != draw(step + 1);
  }
  CHECK(different > 5);
}

TEST_CASE("bits: without noise a training step is hard") {
  LogitBits policy(Widths::range(2, 8), LogitsForward::mixture, 4.2);
  TrainingStep training(at(0), false);
  CHECK(weights(policy) == std::vector<float>{0, 0, 1, 0, 0, 0, 0});
}

}  // namespace fraqat::bits_test
