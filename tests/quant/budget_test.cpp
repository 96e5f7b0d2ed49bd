#include "quant/budget.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <memory>

namespace fraqat::budget_test {

using quant::BudgetedBits;
using quant::Coding;
using quant::LogitBits;
using quant::LogitsForward;
using quant::DirectBits;
using quant::DirectForward;
using quant::Quantizer;
using quant::Role;
using quant::Widths;

namespace {

/// Tensors whose loss is known: c_k 4^-b_k, with a little noise on the gradient.
class Bench {
 public:
  Bench(bool logits, double start, std::vector<Index> elements, std::vector<double> noise_power)
      : power_(std::move(noise_power)) {
    const Widths widths = Widths::range(2, 8);
    for (std::size_t k = 0; k < elements.size(); ++k) {
      std::unique_ptr<quant::BitPolicy> bits;
      if (logits)
        bits = std::make_unique<LogitBits>(widths, LogitsForward::argmax, start);
      else
        bits = std::make_unique<DirectBits>(widths, DirectForward::stochastic, start);
      owned_.push_back(std::make_unique<Quantizer>(
          Quantizer::Info{std::string("t").append(std::to_string(k)), Role::weight, elements[k],
                          Coding::symmetric, widths, 1, 1},
          std::move(bits),
          quant::minmax_range({Coding::symmetric, widths, 1, false, false, true})));
    }
  }

  std::vector<Quantizer*> all() const {
    std::vector<Quantizer*> pointers;
    for (const auto& q : owned_) pointers.push_back(q.get());
    return pointers;
  }

  /// Leaves dL/dtheta on the parameters.
  void gradients(std::uint32_t step) {
    for (std::size_t k = 0; k < owned_.size(); ++k) {
      const Philox draw(5, Stream::synthetic, static_cast<std::uint32_t>(k));
      const double noise = 1 + 0.5 * (double(uniform(draw({0, step, 0, 0})[0])) - 0.5);
      const double slope = -std::log(4) * power_[k] * std::pow(4, -owned_[k]->bits().bits());
      Var theta = owned_[k]->bits().parameter();
      std::vector<double> values(theta.value().data(), theta.value().data() + theta.value().size());
      Tensor grad(theta.shape());
      for (std::size_t i = 0; i < values.size(); ++i)
        grad[Index(i)] = Real(slope * noise * owned_[k]->bits().slope(values, i));
      theta.accumulate(grad);
    }
  }

 private:
  std::vector<std::unique_ptr<Quantizer>> owned_;
  std::vector<double> power_;
};

double average(const std::vector<Quantizer*>& all, const std::vector<double>& bits) {
  double sum = 0, n = 0;
  for (std::size_t k = 0; k < all.size(); ++k) {
    sum += double(all[k]->info().elements) * bits[k];
    n += double(all[k]->info().elements);
  }
  return sum / n;
}

}  // namespace

TEST_CASE("budget: held at the end from 3, 5 and 7.75, for both parametrisations") {
  for (const bool logits : {false, true})
    for (const double start : {3.0, 5.0, 7.75})
      for (const double target : {2.5, 3.0, 4.0}) {
        Bench bench(logits, start, {150, 2400, 48000, 10080, 840}, {3, 2, 5, 2, 4});
        BudgetedBits search(bench.all(), {target, 0.05, 0.4, 0.4});
        constexpr int steps = 800;
        for (int i = 1; i <= steps; ++i) {
          bench.gradients(std::uint32_t(i));
          search.step(double(i) / steps);
          CHECK(search.price() >= 0);
        }
        CAPTURE(logits);
        CAPTURE(start);
        CAPTURE(target);
        CHECK(search.cost() <= target + 1e-4);
        CHECK(average(bench.all(), search.learned_bits()) == doctest::Approx(target).epsilon(0.01));
        CHECK(search.met());
        CHECK_NOTHROW(search.check_alive());
        // The tensor with more noise per element keeps more bits.
        CHECK(search.learned_bits()[0] > search.learned_bits()[2]);
      }
}

TEST_CASE("budget: complementary slackness: no price while the budget does not bind") {
  Bench bench(false, 3, {1000, 1000}, {1, 1});
  BudgetedBits search(bench.all(), {8, 0.02, 0.4, 0.4});
  for (int i = 1; i <= 50; ++i) {
    bench.gradients(std::uint32_t(i));
    search.step(i / 50.0);
    if (search.cost() < 3 + i / 50.0 / 0.4 * 5 - 1e-3) CHECK(search.price() == 0);
  }
  CHECK(search.cost() > 3);  // bits are worth something, so they rise
}

TEST_CASE("budget: a width that never sees a gradient is an error that names it") {
  Bench bench(false, 4.5, {1000, 1000}, {1, 0});
  BudgetedBits search(bench.all(), {4.5, 0.02, 0.4, 0.4});
  for (int i = 1; i <= 10; ++i) {
    bench.gradients(std::uint32_t(i));
    search.step(i / 10.0);
  }
  CHECK_THROWS_WITH_AS(
      search.check_alive(),
      doctest::Contains("[search] the bit-width of t1 is not being learned: its task gradient was "
                        "exactly 0"),
      Error);
}

TEST_CASE("budget: fixed widths cost, too") {
  Bench bench(false, 4, {1000, 1000}, {1, 1});
  bench.all()[0]->freeze(8);
  BudgetedBits search(bench.all(), {6, 0.05, 0.2, 0.4});
  CHECK(search.cost() == doctest::Approx(6));
  CHECK(search.learned_bits()[0] == 8);
}

TEST_CASE("budget: the price of bits on the tape, linear and quadratic") {
  Bench bench(false, 3.5, {10, 20}, {1, 1});
  for (const bool quadratic : {false, true}) {
    Tape tape;
    const Var cost = quant::bit_cost(bench.all(), 0.25, quadratic);
    CHECK(cost.value().item() == doctest::Approx(0.25 * 2 * (quadratic ? 3.5 * 3.5 : 3.5)));
    tape.backward(cost);
    for (Quantizer* q : bench.all()) {
      CHECK(q->bits().parameter().grad().item() == doctest::Approx(quadratic ? 0.25 * 7 : 0.25));
      q->bits().parameter().clear_grad();
    }
  }
}

}  // namespace fraqat::budget_test
