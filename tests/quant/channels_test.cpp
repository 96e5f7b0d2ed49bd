#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "models/models.hpp"
#include "quant/attach.hpp"
#include "quant/bits_by_name.hpp"
#include "quant/budget.hpp"
#include "quant/task_gradients.hpp"

namespace fraqat::channels_test {

// A bit-width for each output channel of a weight.

using quant::Quantizer;
using quant::Role;
using quant::Widths;

namespace {

constexpr Index rows = 5, length = 24;

std::unique_ptr<Quantizer> quantizer(const std::string& bits, const std::vector<double>& starts,
                                     const char* name = "w") {
  quant::RangeOptions range;
  range.coding = quant::Coding::symmetric;
  range.widths = Widths::range(2, 8);
  range.rows = rows;
  auto policies = quant::make_policies(bits, starts, range, quant::mse_range(range));
  return std::make_unique<Quantizer>(
      Quantizer::Info{name, Role::weight, rows * length, range.coding, range.widths, rows, rows,
                      starts.size() > 1},
      std::move(policies.bits), std::move(policies.range));
}

Tensor weights() {
  Tensor w({rows, length});
  fill_normal(w, Philox(3, Stream::synthetic));
  return w;
}

void calibrate(Quantizer& q) {
  q.set_mode(Quantizer::Mode::observe);
  q(Var(weights()));
  q.range().finish();
  q.set_mode(Quantizer::Mode::on);
}

std::vector<std::string> row_policies() {
  std::vector<std::string> names;
  for (const std::string& name : quant::bit_policies())
    if (quant::has_row_widths(name)) names.push_back(name);
  return names;
}

const std::vector<double> starts = {2.3, 3.4, 4.6, 5.5, 7.7};

std::vector<float> row_of(const Tensor& t, Index row) {
  return {t.data() + row * length, t.data() + (row + 1) * length};
}

}  // namespace

TEST_CASE("channels: outside training each row is quantized at its own whole width, for good") {
  for (const std::string& name : row_policies()) {
    CAPTURE(name);
    const auto q = quantizer(name, starts);
    calibrate(*q);
    const Tensor y = (*q)(Var(weights())).value();
    std::vector<quant::Width> hard;
    for (Index row = 0; row < rows; ++row) {
      CHECK(q->bits().bits(row) == doctest::Approx(starts[std::size_t(row)]).epsilon(1e-4));
      hard.push_back(q->hard_width(row));
      const auto whole = quantizer("fixed", {4});
      calibrate(*whole);
      whole->freeze(hard.back());
      CHECK(row_of(y, row) == row_of((*whole)(Var(weights())).value(), row));
    }
    q->freeze(hard);
    CHECK(row_of((*q)(Var(weights())).value(), 3) == row_of(y, 3));
    CHECK(q->learned_bits(3) == doctest::Approx(5.5).epsilon(1e-4));
    CHECK(q->learned_bits() == doctest::Approx(4.7).epsilon(1e-4));
    double sum = 0;
    for (const quant::Width& width : hard) sum += width.bits();
    CHECK(q->mean_hard_bits() == sum / 5);
  }
}

TEST_CASE("channels: every row's parameters get the gradient of their row alone") {
  for (const std::string& name : row_policies()) {
    CAPTURE(name);
    const auto q = quantizer(name, starts);
    calibrate(*q);
    const TrainingStep step({7, 1, 3});
    Tape tape;
    Tensor dy({rows, length});
    fill_normal(dy, Philox(9, Stream::synthetic));
    for (Index i = 2 * length; i < 3 * length; ++i) dy[i] = 0;  // a channel that is dead
    tape.backward(op::sum(op::mul((*q)(Var(weights(), true)), Var(dy))));
    const Tensor grad = q->bits().parameter().grad();
    const Index size = grad.size() / rows;
    for (Index row = 0; row < rows; ++row) {
      const auto nonzero = std::any_of(grad.data() + row * size, grad.data() + (row + 1) * size,
                                       [](Real g) { return g != 0; });
      CHECK(nonzero == (row != 2));
    }
  }
}

TEST_CASE("channels: interpolation's gradient is the difference of both widths of the row") {
  const auto q = quantizer("interpolated", starts);
  calibrate(*q);
  Tensor dy({rows, length});
  fill_normal(dy, Philox(9, Stream::synthetic));
  Tape tape;
  const TrainingStep step({7, 1, 3});
  tape.backward(op::sum(op::mul((*q)(Var(weights(), true)), Var(dy))));
  for (Index row = 0; row < rows; ++row) {
    const auto value = [&](int bits) {
      const auto fixed = quantizer("fixed", {4});
      calibrate(*fixed);
      fixed->freeze(bits);
      const Tensor y = (*fixed)(Var(weights())).value();
      double sum = 0;
      for (Index i = row * length; i < (row + 1) * length; ++i) sum += double(dy[i]) * double(y[i]);
      return sum;
    };
    const int below = int(starts[std::size_t(row)]);
    CHECK(double(q->bits().parameter().grad()[row]) ==
          doctest::Approx(value(below + 1) - value(below)).epsilon(1e-4));
  }
}

TEST_CASE("channels: b on the tape and its slope agree, row by row") {
  for (const std::string& name : row_policies()) {
    CAPTURE(name);
    const auto q = quantizer(name, starts);
    Tape tape;
    const Var b = q->bits().bits_on_tape();
    REQUIRE(b.shape() == Shape({rows}));
    tape.backward(op::sum(op::mul(b, b)));
    const Var theta = q->bits().parameter();
    const Index size = theta.value().size() / rows;
    for (Index row = 0; row < rows; ++row) {
      CHECK(double(b.value()[row]) == doctest::Approx(q->bits().bits(row)).epsilon(1e-5));
      std::vector<double> values(theta.value().data() + row * size,
                                 theta.value().data() + (row + 1) * size);
      for (std::size_t i = 0; i < values.size(); ++i)
        CHECK(double(theta.grad()[row * size + Index(i)]) ==
              doctest::Approx(2 * q->bits().bits(row) * q->bits().slope(values, i)).epsilon(1e-3));
    }
    q->bits().limit(4);
    for (Index row = 0; row < rows; ++row)
      CHECK(q->bits().bits(row) ==
            doctest::Approx(std::min(4.0, starts[std::size_t(row)])).epsilon(1e-3));
  }
}

TEST_CASE("channels: under a budget a tensor of rows is as many tensors, to the bit") {
  for (const std::string& name : row_policies()) {
    CAPTURE(name);
    const auto together = quantizer(name, starts);
    std::vector<std::unique_ptr<Quantizer>> apart;
    std::vector<Quantizer*> alone;
    for (const double start : starts) {
      apart.push_back(quantizer(name, {start}));
      alone.push_back(apart.back().get());
    }
    const auto search_of = [](const std::vector<Quantizer*>& all) {
      quant::Workload workload;
      workload.quantizers = all;
      return quant::BudgetedBits(all, {{quant::average_bits(workload, Role::weight), 3.25}},
                                 {0.05, 0.4, 0.4});
    };
    quant::BudgetedBits one = search_of({together.get()}), many = search_of(alone);
    constexpr int steps = 60;
    for (int i = 1; i <= steps; ++i) {
      const Var theta = together->bits().parameter();
      Tensor grad(theta.shape());
      fill_normal(grad, Philox(4, Stream::synthetic, std::uint32_t(i)));
      Var(theta).accumulate(grad);
      const Index size = grad.size() / rows;
      for (Index row = 0; row < rows; ++row) {
        Var own = alone[std::size_t(row)]->bits().parameter();
        Tensor part(own.shape());
        std::copy_n(grad.data() + row * size, size, part.data());
        own.accumulate(part);
      }
      one.step(double(i) / steps);
      many.step(double(i) / steps);
    }
    CHECK(one.learned_bits() == many.learned_bits());
    CHECK(one.gain() == many.gain());
    CHECK(one.price(0) == many.price(0));
    CHECK(one.state().size() == many.state().size());
    CHECK(one.cost(0) <= 3.25 + 1e-4);
  }
}

TEST_CASE("channels: one that no image excites is left alone, a tensor of such is an error") {
  const auto q = quantizer("stochastic", starts);
  quant::Workload workload;
  workload.quantizers = {q.get()};
  quant::BudgetedBits search(workload.quantizers,
                             {{quant::average_bits(workload, Role::weight), 5}}, {0.02, 0.4, 0.4});
  Var theta = q->bits().parameter();
  Tensor grad({rows}, Real(0));
  grad[1] = 1;
  theta.accumulate(grad);
  quant::TaskGradients task(workload.quantizers);
  task.note();
  search.step(0.5);
  CHECK_NOTHROW(task.check_alive());
  task.note();
  search.step(0.6);
  CHECK_THROWS_WITH_AS(task.check_alive(),
                       doctest::Contains("[search] the bit-width of w is not being learned"),
                       Error);
}

TEST_CASE("channels: what cannot have a width for each is refused") {
  const auto model = models::make("mlp", {28, 28, 1}, 10, 1);
  const Tensor image({1, 28, 28, 1}, Real(0));
  quant::Spec spec;
  spec.weight.bits = "stochastic";
  spec.weight.bits_per_channel = true;
  CHECK_THROWS_WITH_AS(quant::attach(*model, image, spec),
                       "[attach] a bit-width for each channel needs a range for each: got "
                       "bits_per_channel = true with per_channel = false; try per_channel = true",
                       Error);
  spec.weight.per_channel = true;
  for (const char* name : {"schedule", "level-step"}) {
    spec.weight.bits = name;
    CHECK_THROWS_WITH_AS(quant::attach(*model, image, spec),
                         doctest::Contains("has one width for all channels: got"), Error);
    quant::detach(*model);
  }
  spec.activation.per_channel = true;
  CHECK_THROWS_WITH_AS(quant::attach(*model, image, spec),
                       doctest::Contains("[attach] channels with ranges or bit-widths of their "
                                         "own are for weights"),
                       Error);
  CHECK_THROWS_WITH_AS(quantizer("stochastic", starts)->freeze(std::vector<quant::Width>{2, 3}),
                       "[quant] wrong number of widths for w: got 2; expected 5", Error);
}

}  // namespace fraqat::channels_test
