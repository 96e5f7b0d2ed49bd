// What draws a weight that oscillates to the code it has.

#include <doctest/doctest.h>

#include <cmath>

#include "nn/module.hpp"
#include "quant/quantizer.hpp"

namespace fraqat::damping_test {

using quant::Coding;
using quant::Quantizer;
using quant::Widths;

namespace {

constexpr double strength = 3;

/// The gradient that damping alone gives to `x`, and what it is quantized to.
std::pair<Tensor, Tensor> pull(int bits, const Tensor& x) {
  const Widths widths = Widths::range(bits, bits);
  const quant::RangeOptions range{.coding = Coding::symmetric, .widths = widths};
  Quantizer q(
      {"conv1.weight_q", quant::Role::weight, x.size(), Coding::symmetric, widths, 1, x.size()},
      quant::fixed_bits(widths, bits), quant::make_range("minmax", range));
  q.set_mode(Quantizer::Mode::observe);
  q(Var(x));
  q.range().finish();
  q.set_mode(Quantizer::Mode::on);
  q.set_damping(strength);
  const Var weight(x.clone(), true);
  Tape tape;
  const TrainingStep step({1, 0, 0});
  const Var y = q(weight);
  tape.backward(op::sum(op::mul(y, Var(Tensor(x.shape(), Real(0))))));
  return {weight.grad(), y.value()};
}

}  // namespace

TEST_CASE("damping: 2 strength (x - y) within half a step of a code, for one bit as for several") {
  for (const int bits : {1, 2, 4}) {
    CAPTURE(bits);
    Tensor x({41});
    for (Index i = 0; i < x.size(); ++i)
      x[i] = Real(0.02) * static_cast<Real>(i - 20) + Real(0.001);
    const auto [gradient, y] = pull(bits, x);
    Index pulled = 0;
    for (Index i = 0; i < x.size(); ++i) {
      CAPTURE(x[i]);
      const bool inside = std::abs(x[i]) <= y[0] * -1;  // the lowest code is the first number's
      if (!inside) continue;
      CHECK(gradient[i] == doctest::Approx(2 * strength * double(x[i] - y[i])));
      pulled += gradient[i] != 0;
    }
    CHECK(pulled > 20);
  }
}

TEST_CASE("damping: at a level count, too, a weight that is clipped by more is left alone") {
  for (const int lowest : {1, 2}) {
    CAPTURE(lowest);
    const Widths widths = Widths::range(lowest, 4);
    const quant::RangeOptions range{.coding = Coding::symmetric, .widths = widths};
    Quantizer q({"conv1.weight_q", quant::Role::weight, 4, Coding::symmetric, widths, 1, 4},
                quant::fixed_bits(widths, 2), quant::make_range("minmax", range));
    q.set_mode(Quantizer::Mode::observe);
    q(Var(Tensor({2}, std::array<Real, 2>{-1, 1})));
    q.range().finish();
    q.set_mode(Quantizer::Mode::on);
    q.freeze(quant::Width::of_levels(3));
    q.set_damping(strength);
    const Var weight(Tensor({4}, std::array<Real, 4>{Real(0.3), Real(0.8), Real(1.2), Real(40)}),
                     true);
    Tape tape;
    const TrainingStep step({1, 0, 0});
    const Var y = q(weight);
    tape.backward(op::sum(op::mul(y, Var(Tensor({4}, Real(0))))));
    const double scale = double(y.value()[3]);  // the highest of the codes -1, 0 and 1
    REQUIRE(scale > 0);
    for (Index i = 0; i < 4; ++i) {
      const double off = double(weight.value()[i] - y.value()[i]);
      const bool near = std::abs(off) < scale / 2;
      CHECK(weight.grad()[i] == doctest::Approx(near ? 2 * strength * off : 0));
    }
  }
}

}  // namespace fraqat::damping_test
