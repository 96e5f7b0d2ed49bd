#include "quant/range.hpp"

#include <doctest/doctest.h>

#include <cmath>

namespace fraqat::range_test {

using quant::Coding;
using quant::RangeOptions;
using quant::Ranges;
using quant::Widths;

namespace {

Tensor bell(const Shape& shape, std::uint64_t seed = 3) {
  Tensor t(shape);
  fill_normal(t, Philox(seed, Stream::synthetic));
  return t;
}

double error_of(const Tensor& x, Real scale, Real zero, quant::Grid grid) {
  double sum = 0;
  for (const Real v : x.span()) {
    const double code = std::min(
        std::max(std::nearbyint(double(v) / double(scale)) + double(zero), double(grid.lo)),
        double(grid.hi));
    sum += std::pow(double(scale) * (code - double(zero)) - double(v), 2);
  }
  return sum;
}

}  // namespace

TEST_CASE("range: minmax reaches the largest magnitude with the last code") {
  const auto range =
      quant::minmax_range({Coding::symmetric, Widths::range(2, 8), 2, false, false, true});
  const Tensor x({2, 3}, std::array<Real, 6>{-3, 1, 2, 0, 0.5f, 0.25f});
  const Ranges r = range->ranges(x);
  for (int j = 0; j < 7; ++j) {
    const Real top = static_cast<Real>((1 << (j + 1)) - 1);
    CHECK(r.scale.value()[2 * j] == Real(3) / top);
    CHECK(r.scale.value()[2 * j + 1] == Real(0.5) / top);
    CHECK(r.zero.value()[2 * j] == 0);
  }
}

TEST_CASE("range: affine ranges hold 0 exactly and both ends nearly") {
  for (const bool mse : {false, true}) {
    const RangeOptions options{Coding::natural, Widths::range(2, 8), 1, true, false, false};
    const auto range = mse ? quant::mse_range(options) : quant::minmax_range(options);
    const Tensor x({4}, std::array<Real, 4>{-1, 0, 1, 2.5f});
    range->observe(x);
    range->finish();
    const Ranges r = range->ranges(x);
    for (int j = 0; j < 7; ++j) {
      const Real zero = r.zero.value()[j], scale = r.scale.value()[j];
      const Real top = static_cast<Real>((1 << (j + 2)) - 1);
      CHECK(zero == std::round(zero));
      CHECK(zero >= 0);
      CHECK(zero <= top);
      if (mse) continue;
      CHECK(scale == doctest::Approx(3.5 / double(top)));
      CHECK(-zero * scale == doctest::Approx(-1).epsilon(double(scale)));
    }
  }
}

TEST_CASE("range: mse is never worse than minmax, and the best range grows with the width") {
  const Tensor x = bell({20000});
  const RangeOptions options{Coding::symmetric, Widths::range(2, 8), 1, false, false, false};
  const auto best = quant::mse_range(options), widest = quant::minmax_range(options);
  for (quant::RangePolicy* range : {best.get(), widest.get()}) {
    range->observe(x);
    range->finish();
  }
  Real last = 0;
  for (int j = 0; j < 7; ++j) {
    const quant::Grid grid = quant::grid_of(Coding::symmetric, j + 2);
    const Real a = best->ranges(x).scale.value()[j], b = widest->ranges(x).scale.value()[j];
    CHECK(error_of(x, a, 0, grid) <= error_of(x, b, 0, grid));
    const Real clip = a * static_cast<Real>(grid.hi);
    CHECK(clip >= last);
    last = clip;
  }
}

TEST_CASE("range: a moving average in training, still in evaluation") {
  const auto range = quant::minmax_range({Coding::natural, Widths::one(8), 1, false, true, false});
  range->observe(Tensor({1}, Real(1)));
  range->finish();
  const Tensor larger({1}, Real(11));
  CHECK(range->ranges(larger).scale.value()[0] == Real(1) / 255);
  TrainingStep step({1, 0, 0});
  CHECK(range->ranges(larger).scale.value()[0] == doctest::Approx(2.0 / 255));
}

TEST_CASE("range: learned ranges start at mse and are on the tape") {
  const RangeOptions options{Coding::natural, Widths::range(2, 4), 1, false, false, false};
  const auto learned = quant::learned_range(options), mse = quant::mse_range(options);
  const Tensor x = bell({5000});
  for (quant::RangePolicy* range : {learned.get(), mse.get()}) {
    range->observe(x);
    range->finish();
  }
  for (int j = 0; j < 3; ++j)
    CHECK(learned->ranges(x).scale.value()[j] ==
          doctest::Approx(double(mse->ranges(x).scale.value()[j])));
  Tape tape;
  const Var scale = learned->ranges(x).scale;
  tape.backward(op::sum(scale));
  CHECK(learned->parameters()[0].grad()[1] == scale.value()[1]);  // d exp(l) / dl
}

TEST_CASE("range: errors") {
  const auto range = quant::mse_range({Coding::natural, Widths::one(4), 1, false, false, false});
  CHECK_THROWS_WITH_AS(range->finish(),
                       "[quant] nothing was observed: got 0 numbers; expected 1 or more; try "
                       "calibrating before quantizing",
                       Error);
  CHECK_THROWS_AS(quant::learned_range({Coding::twos, Widths::one(4), 1, true, false, false}),
                  Error);
}

}  // namespace fraqat::range_test
