#include "quant/budget.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <memory>

#include "quant/price.hpp"
#include "quant/task_gradients.hpp"

namespace fraqat::budget_test {

using quant::BudgetedBits;
using quant::Coding;
using quant::DirectBits;
using quant::DirectForward;
using quant::LogitBits;
using quant::LogitsForward;
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

  /// sum N_k b_k / sum N_k.
  quant::Cost average() const {
    quant::Workload workload;
    workload.quantizers = all();
    return quant::average_bits(workload, Role::weight);
  }

  BudgetedBits search(double target, BudgetedBits::Options options) const {
    return {all(), {{average(), target}}, std::move(options)};
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
        BudgetedBits search = bench.search(target, {0.05, 0.4, 0.4});
        quant::TaskGradients task(bench.all());
        constexpr int steps = 800;
        for (int i = 1; i <= steps; ++i) {
          bench.gradients(std::uint32_t(i));
          task.note();
          search.step(double(i) / steps);
          CHECK(search.price(0) >= 0);
        }
        CAPTURE(logits);
        CAPTURE(start);
        CAPTURE(target);
        CHECK(search.cost(0) <= target + 1e-4);
        CHECK(average(bench.all(), search.learned_bits()) == doctest::Approx(target).epsilon(0.01));
        CHECK(search.met());
        CHECK_NOTHROW(task.check_alive());
        // The tensor with more noise per element keeps more bits.
        CHECK(search.learned_bits()[0] > search.learned_bits()[2]);
      }
}

TEST_CASE("budget: complementary slackness: no price while the budget does not bind") {
  Bench bench(false, 3, {1000, 1000}, {1, 1});
  BudgetedBits search = bench.search(8, {0.02, 0.4, 0.4});
  int free = 0;
  for (int i = 1; i <= 50; ++i) {
    bench.gradients(std::uint32_t(i));
    search.step(i / 50.0);
    if (search.cost(0) >= 3 + i / 50.0 / 0.4 * 5 - 1e-3) continue;
    ++free;
    CHECK(search.price(0) == 0);
  }
  CHECK(free > 10);
  CHECK(search.cost(0) > 3);  // bits are worth something, so they rise
}

TEST_CASE("budget: a width that never sees a gradient is an error that names it") {
  Bench bench(false, 4.5, {1000, 1000}, {1, 0});
  BudgetedBits search = bench.search(4.5, {0.02, 0.4, 0.4});
  quant::TaskGradients task(bench.all());
  for (int i = 1; i <= 10; ++i) {
    bench.gradients(std::uint32_t(i));
    task.note();
    search.step(i / 10.0);
  }
  CHECK(task.state() == std::vector<char>{true, false});
  CHECK_THROWS_WITH_AS(
      task.check_alive(),
      doctest::Contains("[search] the bit-width of t1 is not being learned: got a task gradient "
                        "of exactly 0"),
      Error);
}

TEST_CASE("budget: fixed widths cost, too") {
  Bench bench(false, 4, {1000, 1000}, {1, 1});
  bench.all()[0]->freeze(8);
  BudgetedBits search = bench.search(6, {0.05, 0.2, 0.4});
  CHECK(search.cost(0) == doctest::Approx(6));
  CHECK(search.learned_bits()[0] == 8);
}

TEST_CASE("budget: the price of bits on the tape: b^p, each width alike or by what it costs") {
  Bench bench(false, 3.5, {10, 20}, {1, 1});
  const auto check = [&](const quant::Price& price, double expected, double first, double second) {
    Tape tape;
    const Var cost = price.on_tape(bench.all());
    CHECK(cost.value().item() == doctest::Approx(expected));
    tape.backward(cost);
    const double slopes[] = {first, second};
    for (std::size_t k = 0; k < 2; ++k) {
      const Var b = bench.all()[k]->bits().parameter();
      CHECK(b.grad().item() == doctest::Approx(slopes[k]));
      b.clear_grad();
    }
  };
  check({0.25, 1}, 0.25 * 2 * 3.5, 0.25, 0.25);
  check({0.25, 2}, 0.25 * 2 * 3.5 * 3.5, 0.25 * 2 * 3.5, 0.25 * 2 * 3.5);
  check({0.25, 3}, 0.25 * 2 * 3.5 * 3.5 * 3.5, 0.25 * 3 * 3.5 * 3.5, 0.25 * 3 * 3.5 * 3.5);
  quant::Price price{0.25, 1};
  const std::vector<quant::Site> sites = quant::sites_of(bench.all());
  const quant::Cost average = bench.average();
  quant::weigh(price, {{average}}, sites);
  CHECK(price.weights[1] == doctest::Approx(2.0 / 3));
  check(price, 0.25 * 3.5, 0.25 / 3, 0.25 * 2 / 3);
  // Of a peak only the largest moment, here the second, has a price; costs add up.
  using quant::Sum;
  const quant::Cost peak{"activation_bytes",
                         "bytes",
                         {{{{0, Sum::none, 80}}, 0, 8, true}, {{{1, Sum::none, 160}}, 0, 8, true}}};
  quant::weigh(price, {{peak}}, sites);
  CHECK(price.weights == std::vector<double>{0, 1});
  quant::weigh(price, std::vector{average, peak}, sites);
  CHECK(price.weights[0] == doctest::Approx(1.0 / 3));
  CHECK(price.weights[1] == doctest::Approx(1 + 2.0 / 3));
}

namespace {

/// Four tensors, 0 and 1 multiplied with 2 and 3; bytes of 0 and 1, bit operations,
/// and the most of two moments of 2 and 3.
std::vector<quant::Budget> three_budgets(double bytes, double bops, double peak) {
  using quant::Sum;
  const Sum weights{{{0, Sum::none, 4000}, {1, Sum::none, 1000}}, 40, 8, true};
  const Sum products{{{0, 2, 100}, {1, 3, 900}}, 0, 1, false};
  const Sum first{{{2, Sum::none, 800}, {3, Sum::none, 400}}, 0, 8, true};
  const Sum second{{{3, Sum::none, 1600}}, 0, 8, true};
  return {{{"bytes", "bytes", {weights}}, bytes},
          {{"bops", "bops", {products}}, bops},
          {{"activation_bytes", "bytes", {first, second}}, peak}};
}

}  // namespace

TEST_CASE("budget: several at once: each holds, and has a price only where it binds") {
  struct Case {
    double bytes, bops, peak;
    bool binds[3];
  };
  for (const Case& one :
       {Case{1700, 1e9, 1e6, {true, false, false}}, Case{1e6, 9000, 1e6, {false, true, false}},
        Case{1e6, 1e9, 420, {false, false, true}}, Case{1900, 9000, 1e6, {true, true, false}},
        Case{1700, 9000, 640, {true, true, true}}})
    for (const bool logits : {false, true})
      for (const double start : {3.0, 7.75}) {
        CAPTURE(one.bytes);
        CAPTURE(one.bops);
        CAPTURE(one.peak);
        CAPTURE(logits);
        CAPTURE(start);
        Bench bench(logits, start, {4000, 1000, 800, 400}, {3, 2, 2, 4});
        BudgetedBits search(bench.all(), three_budgets(one.bytes, one.bops, one.peak),
                            {0.05, 0.4, 0.4});
        constexpr int steps = 300;
        for (int i = 1; i <= steps; ++i) {
          bench.gradients(std::uint32_t(i));
          search.step(double(i) / steps);
        }
        CHECK(search.met());
        for (std::size_t b = 0; b < 3; ++b) {
          CAPTURE(b);
          const double target = search.budgets()[b].target;
          CHECK(search.cost(b) <= target * (1 + 1e-5));
          const bool tight = search.cost(b) >= target * (1 - 1e-4);
          CHECK((search.price(b) == 0 || tight));
          if (one.binds[b]) {
            CHECK(search.mean_price(b) > 0);
            CHECK(search.budgets()[b].cost.value(search.learned_bits()) ==
                  doctest::Approx(target).epsilon(0.01));
          } else if (target > 1e5) {
            CHECK(search.mean_price(b) == 0);
          }
        }
      }
}

TEST_CASE(
    "budget: dual ascent comes near it, PID nearer than it began, the exact multiplier meets it") {
  const auto cost_with = [](const std::string& multiplier) {
    Bench bench(false, 5, {150, 2400, 48000, 10080, 840}, {3, 2, 5, 2, 4});
    BudgetedBits search = bench.search(3, {0.02, 0.4, 0.4, multiplier});
    constexpr int steps = 3000;
    for (int i = 1; i <= steps; ++i) {
      bench.gradients(std::uint32_t(i));
      search.step(double(i) / steps);
      CHECK(search.price(0) >= 0);
    }
    const std::vector<double> numbers = search.state();
    BudgetedBits again = bench.search(3, {0.02, 0.4, 0.4, multiplier});
    again.set_state(numbers);
    CHECK(again.state() == numbers);
    return search.budgets()[0].cost.value(search.learned_bits());
  };
  CHECK(cost_with("exact") == doctest::Approx(3).epsilon(1e-5));
  CHECK(cost_with("dual") == doctest::Approx(3).epsilon(0.1));
  CHECK(cost_with("pid") < 4.75);
  CHECK_THROWS_WITH_AS(cost_with("lagrange"),
                       "[search] no such multiplier: got lagrange; expected exact, dual or pid",
                       Error);
}

TEST_CASE("budget: a step that cannot reach a peak is limited once, and none has used the start") {
  Bench bench(false, 8, {4000, 1000, 800, 400}, {3, 2, 2, 4});
  BudgetedBits search(bench.all(), three_budgets(1e6, 1e9, 300), {1e-6, 0, 0.4});
  CHECK(search.highest_use(2) == doctest::Approx(1600.0 / 300));  // at 8 bits
  for (int i = 1; i <= 5; ++i) {
    bench.gradients(std::uint32_t(i));
    search.step(i / 5.0);
  }
  CHECK(!search.met());
  CHECK(search.limited_steps(2) == 5);  // of each of its two sums
  CHECK(search.limited_steps(0) == 0);
}

}  // namespace fraqat::budget_test
