// Ranges that have collapsed, and numbers that are none: errors name the slot.

#include <doctest/doctest.h>

#include <cmath>

#include "quant/quantizer.hpp"

namespace fraqat::collapse_test {

using quant::Coding;
using quant::Quantizer;
using quant::Widths;

namespace {

Quantizer quantizer(const char* policy = "learned") {
  const Widths widths = Widths::one(4);
  Quantizer q({"conv1.weight_q", quant::Role::weight, 4, Coding::symmetric, widths, 1, 1},
              quant::fixed_bits(widths, 4),
              quant::make_range(policy, {Coding::symmetric, widths, 1, false, false, false}));
  q.set_mode(Quantizer::Mode::observe);
  q(Var(Tensor({4}, std::array<Real, 4>{-1, Real(0.5), 0, 2})));
  q.range().finish();
  q.set_mode(Quantizer::Mode::on);
  return q;
}

std::string refusal(Quantizer& q, const Tensor& x) {
  try {
    q(Var(x));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("collapse: a scale that is no positive number") {
  for (const double log_scale : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    Quantizer q = quantizer();
    q.range().parameters()[0].value()[0] = Real(log_scale);
    CHECK(refusal(q, Tensor({4}, Real(1)))
              .starts_with("[fake_quant] the range of conv1.weight_q collapsed: got scale "));
  }
}

TEST_CASE("collapse: of a range between two widths, too") {
  const Widths widths = Widths::range(2, 4);
  Quantizer q({"conv1.weight_q", quant::Role::weight, 4, Coding::symmetric, widths, 1, 1},
              std::make_unique<quant::DirectBits>(widths, quant::DirectForward::level, 3.5),
              quant::make_range("learned", {Coding::symmetric, widths, 1, false, false, false}));
  q.set_mode(Quantizer::Mode::on);
  q.range().parameters()[0].value().fill(Real(-HUGE_VAL));
  const TrainingStep step({1, 0, 0});
  CHECK(refusal(q, Tensor({4}, Real(1)))
            .starts_with("[quant] the range of conv1.weight_q collapsed: got scale 0"));
}

TEST_CASE("collapse: all numbers with one code, on a closer look only, and once") {
  const Tensor small({4}, std::array<Real, 4>{Real(0.01), Real(-0.02), 0, Real(0.03)});
  Quantizer q = quantizer("mse");
  CHECK(refusal(q, small).empty());
  q.look();
  CHECK(refusal(q, small).starts_with(
      "[quant] the range of conv1.weight_q collapsed: all numbers have the same code: got numbers "
      "from -0.02 to 0.03, which all become 0"));
  CHECK(refusal(q, Tensor({4}, Real(0.01))).empty());  // no two numbers differ
  q.look();
  CHECK(refusal(q, Tensor({4}, std::array<Real, 4>{0, 0, 0, 1})).empty());
  CHECK(refusal(q, small).empty());
}

TEST_CASE("collapse: numbers that are none") {
  for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    Quantizer q = quantizer();
    q.look();
    CHECK(refusal(q, Tensor({4}, std::array<Real, 4>{0, 1, Real(bad), 2}))
              .starts_with("[quant] conv1.weight_q has to quantize what is no number: got "));
  }
}

TEST_CASE("collapse: rows that each have one code, though not the same") {
  const Widths widths = Widths::one(2);
  const auto looked = [&](const Tensor& x) {
    Quantizer q({"conv1.weight_q", quant::Role::weight, 4, Coding::symmetric, widths, 2, 2},
                quant::fixed_bits(widths, 2),
                quant::make_range("learned", {Coding::symmetric, widths, 2, false, false, false}));
    q.range().parameters()[0].value().fill(0);  // scale 1: codes -1, 0, 1
    q.set_mode(Quantizer::Mode::on);
    q.look();
    return refusal(q, x);
  };
  CHECK(looked(Tensor({2, 2}, std::array<Real, 4>{5, 6, -7, -8}))
            .starts_with("[quant] the range of conv1.weight_q collapsed: all numbers of a row have "
                         "the same code: got numbers from -8 to 6, which all become 1 in the "
                         "first row; expected two codes or more"));
  // A row that is clipped whole is a row like another, as long as some have more.
  CHECK(looked(Tensor({2, 2}, std::array<Real, 4>{5, 6, 0, -8})).empty());
}

}  // namespace fraqat::collapse_test
