// Quantizers frozen at a number of levels that is no power of two.

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "quant/quantizer.hpp"

namespace fraqat::freeze_levels_test {

using quant::Coding;
using quant::Quantizer;
using quant::Width;
using quant::Widths;

namespace {

constexpr Coding codings[] = {Coding::symmetric, Coding::twos, Coding::natural};

/// Numbers so dense over [low, high] that every code has one.
Tensor ramp(Real low, Real high) {
  Tensor x({2, 2000});
  for (Index i = 0; i < x.size(); ++i)
    x[i] = low + (high - low) * static_cast<Real>(i) / static_cast<Real>(x.size() - 1);
  return x;
}

Quantizer quantizer(Coding coding, const Widths& widths, Index rows = 1, bool affine = false) {
  quant::RangeOptions range{.coding = coding, .widths = widths, .rows = rows, .affine = affine};
  Quantizer q({"conv1.weight_q", quant::Role::weight, 4000, coding, widths, rows, 2},
              quant::fixed_bits(widths, widths.highest()), quant::learned_range(range));
  q.set_mode(Quantizer::Mode::observe);
  q(Var(ramp(coding == Coding::natural && !affine ? 0 : -1, 1)));
  q.range().finish();
  q.set_mode(Quantizer::Mode::on);
  return q;
}

bool possible(Coding coding, int levels) {
  const Width width = Width::of_levels(levels);
  if (width.whole() || (coding == Coding::natural && levels == 3)) return false;  // below 2 bits
  return coding == Coding::natural || (levels % 2 == 1) == (coding == Coding::symmetric);
}

std::string refusal(Coding coding, const Widths& widths, int levels) {
  Quantizer q = quantizer(coding, widths);
  try {
    q.freeze(Width::of_levels(levels));
  } catch (const Error& error) {
    CHECK_FALSE(q.frozen());
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("frozen levels: all of them are used, and are what the tape says") {
  const Tensor x = ramp(-3, 3);
  for (const Coding coding : codings) {
    Quantizer q = quantizer(coding, Widths::range(2, 8));
    for (int levels = 3; levels < 256; ++levels) {
      if (!possible(coding, levels)) continue;
      CAPTURE(levels);
      const Width width = Width::of_levels(levels);
      q.freeze(width);
      CHECK(q.hard_width() == width);
      CHECK(q.learned_bits() == 8);
      Tape tape(Tape::Records::graph);
      const Tensor y = q(Var(x)).value();
      REQUIRE(tape.nodes().size() == 1);
      CHECK(tape.nodes()[0]->op() == "level_quant");
      const Attributes attributes = tape.nodes()[0]->attributes();
      const quant::Grid grid = width.grid(coding);
      CHECK(attributes.get<Index>("levels") == levels);
      CHECK(attributes.get<Index>("lo") == grid.lo);
      CHECK(attributes.get<Index>("hi") == grid.hi);
      const Real scale = attributes.get<Tensor>("scale").item();
      CHECK(attributes.get<Tensor>("zero").item() == 0);
      CHECK(std::set<Real>(y.data(), y.data() + y.size()).size() ==
            static_cast<std::size_t>(levels));
      CHECK(y[0] == scale * static_cast<Real>(grid.lo));
      CHECK(y[y.size() - 1] == scale * static_cast<Real>(grid.hi));
    }
  }
}

TEST_CASE("frozen levels: the zero-point of an affine range goes with the steps") {
  Quantizer q = quantizer(Coding::natural, Widths::range(2, 8), 1, true);
  const Tensor x = ramp(-1, 1);
  for (const int levels : {5, 6, 22, 100, 255}) {
    q.freeze(Width::of_levels(levels));
    Tape tape(Tape::Records::graph);
    const Tensor y = q(Var(x)).value();
    const Attributes attributes = tape.nodes().back()->attributes();
    const Real zero = attributes.get<Tensor>("zero").item();
    CHECK(std::abs(2 * zero - Real(levels - 1)) <= 2 + Real(0.05) * Real(levels));
    CHECK(zero == std::nearbyint(zero));
    const Real scale = attributes.get<Tensor>("scale").item();
    CHECK(y[0] >= -scale * zero);
    CHECK(y[0] <= -scale * (zero - 2));
  }
}

TEST_CASE("frozen levels: the ranges of both neighbours go on learning, row by row") {
  Quantizer q = quantizer(Coding::symmetric, Widths::range(2, 8), 2);
  q.freeze(Width::of_levels(11));  // 3.58 bits
  const Var log_scale = q.range().parameters()[0];
  Tape tape;
  tape.backward(op::sum(q(Var(ramp(-3, 2), true))));
  for (Index j = 0; j < 7; ++j)
    for (Index row = 0; row < 2; ++row)
      CHECK((log_scale.grad()[2 * j + row] != 0) == (j == 1 || j == 2));
}

TEST_CASE("frozen levels: an average counts what they are stored in") {
  Quantizer q = quantizer(Coding::symmetric, Widths::range(2, 8));
  q.freeze(Width::of_levels(3));
  CHECK(quant::average_bits({&q}, quant::Role::weight, true) == 1.6);
  CHECK(quant::average_bits({&q}, quant::Role::weight, false) == 8);
  q.freeze(4);
  CHECK(q.hard_width() == Width(4));
  CHECK(quant::average_bits({&q}, quant::Role::weight, true) == 4);
}

TEST_CASE("frozen levels: refusals") {
  const Widths all = Widths::range(2, 8);
  CHECK(refusal(Coding::symmetric, all, 6).find("odd number of levels: got 6") !=
        std::string::npos);
  CHECK(refusal(Coding::twos, all, 7).find("even number of levels: got 7") != std::string::npos);
  CHECK(refusal(Coding::natural, all, 3).find("no candidates around 3 levels: got 1.58") !=
        std::string::npos);
  CHECK(refusal(Coding::natural, Widths::range(3, 4), 17).find("expected 3 to 4") !=
        std::string::npos);
  const int apart[] = {1, 3};
  CHECK(refusal(Coding::symmetric, Widths(apart), 3).find("no candidates around 3 levels") !=
        std::string::npos);
  CHECK(refusal(Coding::symmetric, Widths::range(1, 3), 3).empty());
  CHECK(refusal(Coding::symmetric, all, 4).empty());  // that is 2 bits
  CHECK(refusal(Coding::symmetric, Widths::range(4, 8), 4).find("must be a candidate") !=
        std::string::npos);
}

}  // namespace fraqat::freeze_levels_test
