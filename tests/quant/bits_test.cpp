#include "quant/bits.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "quant/bits_by_name.hpp"

namespace fraqat::bits_test {

using quant::BitPolicy;
using quant::Coding;
using quant::DirectBits;
using quant::DirectForward;
using quant::LogitBits;
using quant::LogitsForm;
using quant::LogitsForward;
using quant::Widths;

namespace {

constexpr LogitsForward forwards[] = {LogitsForward::argmax, LogitsForward::gumbel,
                                      LogitsForward::gumbel_soft, LogitsForward::mixture};
constexpr LogitsForm forms[] = {LogitsForm::free, LogitsForm::bell};
constexpr DirectForward neighbours[] = {DirectForward::stochastic, DirectForward::interpolated};

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
  CHECK_THROWS_AS(DirectBits(Widths::one(4), DirectForward::stochastic, 4), Error);
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
  for (const DirectForward forward : neighbours) {
    DirectBits policy(Widths::range(2, 8), forward, 5);
    for (std::uint32_t step = 0; step < 20; ++step) {
      TrainingStep training(at(step));
      CHECK(weights(policy) == weights(*fixed));
    }
  }
}

TEST_CASE("bits: evaluation is hard, whatever the policy") {
  for (const LogitsForward forward : forwards) {
    LogitBits policy(Widths::range(2, 8), forward, 4.2);
    const std::vector<float> p = weights(policy);
    CHECK(p == std::vector<float>{0, 0, 1, 0, 0, 0, 0});
  }
  for (const DirectForward forward : neighbours) {
    DirectBits policy(Widths::range(2, 8), forward, 4.6);
    CHECK(weights(policy) == std::vector<float>{0, 0, 0, 1, 0, 0, 0});
    DirectBits tie(Widths::range(2, 8), forward, 4.5);  // as rounding to the nearest has it
    CHECK(weights(tie) == std::vector<float>{0, 0, 0, 1, 0, 0, 0});
  }
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

TEST_CASE("bits: interpolation mixes the two neighbours, each by its share of the way") {
  DirectBits policy(Widths::range(2, 8), DirectForward::interpolated, 5.25);
  TrainingStep training(at(0));
  CHECK(weights(policy) == std::vector<float>{0, 0, 0, 0.75f, 0.25f, 0, 0});
  const BitPolicy::Choice choice = policy.choose();
  CHECK(choice.first == 3);
  CHECK(choice.last == 5);
}

TEST_CASE("bits: the bell's distribution is that of its formula") {
  LogitBits policy(Widths::range(2, 4), LogitsForward::mixture, 3, LogitsForm::bell);
  policy.parameter().value()[0] = 2.6f;
  double sum = 0, mean = 0, p[3];
  for (int j = 2; j <= 4; ++j) {
    p[j - 2] = std::exp(-(j - 2.6) * (j - 2.6) / (2 * 1.2 * 1.2));
    sum += p[j - 2];
    mean += j * p[j - 2];
  }
  TrainingStep training(at(0));
  const std::vector<float> got = weights(policy);
  for (std::size_t j = 0; j < 3; ++j) CHECK(got[j] == doctest::Approx(p[j] / sum).epsilon(1e-6));
  CHECK(policy.bits() == doctest::Approx(mean / sum).epsilon(1e-6));
  CHECK(policy.bits_on_tape().value().item() == doctest::Approx(mean / sum).epsilon(1e-6));
}

TEST_CASE("bits: the bell meets its start, and however it is pushed b can come back") {
  for (const double b : {2.25, 2.5, 3.0, 5.3, 7.75})
    CHECK(LogitBits(Widths::range(2, 8), LogitsForward::argmax, b, LogitsForm::bell).bits() ==
          doctest::Approx(b).epsilon(1e-4));
  LogitBits policy(Widths::range(2, 8), LogitsForward::gumbel, 5, LogitsForm::bell);
  for (const float far : {-1e6f, 1e6f}) {
    policy.parameter().value()[0] = far;
    policy.project();
    const double c = policy.parameter().value()[0];
    CHECK(policy.slope({&c, 1}, 0) > 1e-3);
    CHECK(std::abs(policy.bits() - (far < 0 ? 2 : 8)) < 0.05);
  }
}

TEST_CASE("bits: slopes are the derivatives of b, at any temperature, as the tape has them") {
  for (const LogitsForward forward : forwards)
    for (const LogitsForm form : forms)
      for (const double temperature : {1.0, 0.3, 2.5}) {
        LogitBits policy(Widths::range(2, 8), forward, 4, form);
        policy.set_temperature(temperature);
        std::vector<double> l = {0.1, -0.4, 0.9, 0.3, -1.0, 0.2, 0.0};
        if (form == LogitsForm::bell) l = {4.7};
        for (std::size_t i = 0; i < l.size(); ++i)
          policy.parameter().value()[Index(i)] = float(l[i]);
        Tape tape;
        const Var b = policy.bits_on_tape();
        CHECK(b.value().item() == doctest::Approx(policy.bits_of(l)).epsilon(1e-6));
        tape.backward(b);
        for (std::size_t i = 0; i < l.size(); ++i) {
          std::vector<double> up = l, down = l;
          up[i] += 1e-6;
          down[i] -= 1e-6;
          const double difference = (policy.bits_of(up) - policy.bits_of(down)) / 2e-6;
          CHECK(policy.slope(l, i) == doctest::Approx(difference).epsilon(1e-6));
          CHECK(policy.parameter().grad()[Index(i)] == doctest::Approx(difference).epsilon(1e-4));
        }
      }
}

TEST_CASE("bits: a mixture that cools becomes the fixed width, its b too") {
  for (const LogitsForm form : forms) {
    LogitBits policy(Widths::range(2, 8), LogitsForward::mixture, 4.9, form);
    double before = 0;
    for (const double temperature : {1.0, 0.5, 0.1, 0.02}) {
      policy.set_temperature(temperature);
      TrainingStep training(at(0));
      const double most = double(weights(policy)[3]);
      CHECK(most > before);
      before = most;
    }
    policy.set_temperature(1e-3);
    TrainingStep training(at(0));
    CHECK(weights(policy) == weights(*quant::fixed_bits(Widths::range(2, 8), 5)));
    CHECK(policy.bits() == 5);
    CHECK(policy.bits_on_tape().value().item() == 5);
  }
}

TEST_CASE("bits: the temperature of a sample leaves b and the choice of argmax alone") {
  for (const LogitsForward forward : {LogitsForward::argmax, LogitsForward::gumbel}) {
    LogitBits policy(Widths::range(2, 8), forward, 4.3);
    TrainingStep training(at(3));
    const double b = policy.bits();
    const std::vector<float> p = weights(policy);
    policy.set_temperature(0.05);
    CHECK(policy.bits() == b);
    TrainingStep again(at(3));
    CHECK(weights(policy) == p);
  }
}

TEST_CASE("bits: entropy and its gradient are those of the formula") {
  for (const LogitsForward forward : forwards)
    for (const double temperature : {1.0, 0.4}) {
      LogitBits policy(Widths::range(2, 4), forward, 3);
      policy.set_temperature(temperature);
      const double tau = forward == LogitsForward::mixture ? temperature : 1;
      const double l[] = {0.5, -0.25, 1.0};
      double p[3], sum = 0, entropy = 0;
      for (int j = 0; j < 3; ++j) {
        policy.parameter().value()[j] = float(l[j]);
        sum += p[j] = std::exp(l[j] / tau);
      }
      for (double& v : p) v /= sum;
      for (const double v : p) entropy -= v * std::log(v);
      Tape tape;
      const Var on_tape = policy.entropy_on_tape();
      CHECK(on_tape.value().item() == doctest::Approx(entropy).epsilon(1e-6));
      tape.backward(on_tape);
      for (int j = 0; j < 3; ++j)
        CHECK(policy.parameter().grad()[j] ==
              doctest::Approx(-p[j] * (std::log(p[j]) + entropy) / tau).epsilon(1e-5));
    }
}

TEST_CASE("bits: a limit holds from then on, and leaves a narrower b alone") {
  std::vector<std::unique_ptr<BitPolicy>> policies;
  const quant::RangeOptions options{Coding::natural, Widths::range(2, 8)};
  for (const std::string& name : quant::bit_policies())
    if (name != "fixed")
      policies.push_back(
          quant::make_policies(name, {6.5}, options, quant::minmax_range(options)).bits);
  for (const auto& policy : policies) {
    CAPTURE(std::string(policy->name()));
    policy->limit(7);
    if (policy->name() == "schedule") CHECK(policy->bits() == 7);
    if (policy->name() != "schedule") CHECK(policy->bits() == doctest::Approx(6.5).epsilon(1e-4));
    policy->limit(4.5);
    CHECK(policy->bits() == doctest::Approx(4.5).epsilon(1e-4));
    if (!policy->parameter()) continue;
    for (float& v : policy->parameter().value().span()) v = policy->name() == "level-step" ? -8 : 8;
    policy->project();
    CHECK(policy->bits() <= 4.5 * (1 + 1e-6));
  }
}

TEST_CASE("bits: samples come as often as they should") {
  constexpr std::uint32_t draws = 4000;
  DirectBits stochastic(Widths::range(2, 8), DirectForward::stochastic, 3.3);
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

TEST_CASE("bits: a soft sample is spread over the widths, and has the hard one's largest") {
  int spread = 0;
  for (const LogitsForm form : forms)
    for (std::uint32_t step = 0; step < 50; ++step) {
      LogitBits soft(Widths::range(2, 8), LogitsForward::gumbel_soft, 4.3, form);
      LogitBits hard(Widths::range(2, 8), LogitsForward::gumbel, 4.3, form);
      const auto draw = [&](BitPolicy& policy, double temperature) {
        policy.set_temperature(temperature);
        TrainingStep training(at(step));
        return weights(policy);
      };
      const std::vector<float> p = draw(soft, 0.7), one = draw(hard, 0.7);
      CHECK(std::accumulate(p.begin(), p.end(), 0.0) == doctest::Approx(1).epsilon(1e-5));
      CHECK(one[std::size_t(std::max_element(p.begin(), p.end()) - p.begin())] == 1);
      spread += *std::max_element(p.begin(), p.end()) < 0.9f;
      CHECK(draw(soft, 1e-4) == one);
    }
  CHECK(spread > 50);
}

// Of a loss sum_j D_j p_j, where D_j is what fake_quant says of candidate j.
TEST_CASE("bits: logits get the gradient of the softmax, and of samples over the temperature") {
  constexpr double D[] = {0.5, -1.25, 2.0}, tau = 0.4;
  for (const LogitsForward forward : forwards) {
    CAPTURE(static_cast<int>(forward));
    const auto policy_for = [](LogitsForward way) {
      LogitBits policy(Widths::range(2, 4), way, 3);
      policy.set_temperature(tau);
      for (int j = 0; j < 3; ++j) policy.parameter().value()[j] = float(0.3 * j - 0.2);
      return policy;
    };
    // p of the relaxation: of argmax the plain softmax, of both samples the soft one.
    double p[3], sum = 0, mean = 0;
    if (forward == LogitsForward::argmax) {
      for (int j = 0; j < 3; ++j) sum += p[j] = std::exp(0.3 * j - 0.2);
      for (double& v : p) v /= sum;
    } else {
      LogitBits relaxed = policy_for(
          forward == LogitsForward::mixture ? LogitsForward::mixture : LogitsForward::gumbel_soft);
      TrainingStep training(at(5));
      const std::vector<float> soft = weights(relaxed);
      std::copy(soft.begin(), soft.end(), p);
    }
    for (int j = 0; j < 3; ++j) mean += p[j] * D[j];
    LogitBits policy = policy_for(forward);
    TrainingStep training(at(5));
    Tape tape;
    const Tensor slopes({3}, std::array<Real, 3>{Real(D[0]), Real(D[1]), Real(D[2])});
    tape.backward(op::sum(op::mul(policy.choose().p, Var(slopes))));
    const double cool = forward == LogitsForward::argmax ? 1 : tau;
    for (int j = 0; j < 3; ++j)
      CHECK(policy.parameter().grad()[j] ==
            doctest::Approx(p[j] * (D[j] - mean) / cool).epsilon(1e-4));
  }
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
