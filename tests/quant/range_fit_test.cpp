// Ranges by percentile and by divergence, against plain loops.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "quant/range.hpp"

namespace fraqat::range_fit_test {

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

Ranges fitted(const char* policy, const RangeOptions& options, const Tensor& x) {
  const auto range = quant::make_range(policy, options);
  range->observe(x);
  range->finish();
  return range->ranges(x);
}

RangeOptions of(Coding coding, Index rows = 1, bool affine = false) {
  return {coding, Widths::range(2, 8), rows, affine, false, false};
}

double highest_code(Coding coding, int bits) {
  return std::pow(2.0, coding == Coding::natural ? bits : bits - 1) - 1;
}

double clip_end(const Ranges& r, Coding coding, int j, Index rows = 1, Index row = 0) {
  return double(r.scale.value()[j * rows + row]) * highest_code(coding, j + 2);
}

/// Entropy calibration as it is usually told: a histogram, a list of P, a list of Q.
double divergence(const std::vector<double>& magnitudes, double largest, double share, double top) {
  std::map<int, double> histogram;
  for (const double m : magnitudes)
    if (m > 0) ++histogram[std::min(2047, int(m / (largest / 2048)))];
  std::vector<double> centre, p, q;
  double clipped = 0;
  for (const auto& [bin, count] : histogram) {
    const double c = (bin + 0.5) * largest / 2048;
    if (c > share * largest)
      clipped += count;
    else {
      centre.push_back(c);
      p.push_back(count);
    }
  }
  if (p.empty()) return HUGE_VAL;
  std::vector<double> code;
  for (const double c : centre) code.push_back(std::nearbyint(c / (share * largest / top)));
  for (std::size_t i = 0; i < p.size(); ++i) {
    double mass = 0, bins = 0;
    for (std::size_t k = 0; k < p.size(); ++k)
      if (code[k] == code[i]) {
        mass += p[k];
        ++bins;
      }
    q.push_back(mass / bins);
  }
  double all_q = 0, all_p = clipped, kl = 0;
  for (const double v : q) all_q += v;
  for (const double v : p) all_p += v;
  p.back() += clipped;
  for (std::size_t i = 0; i < p.size(); ++i)
    kl += p[i] / all_p * std::log(p[i] / all_p / (q[i] / all_q));
  return kl;
}

}  // namespace

TEST_CASE("range: percentile leaves out what a sorted list says") {
  const Tensor x = bell({3, 4000});
  for (const double percentile : {90.0, 99.0, 100.0}) {
    RangeOptions options = of(Coding::symmetric, 3);
    options.percentile = percentile;
    const Ranges r = fitted("percentile", options, x);
    for (Index row = 0; row < 3; ++row) {
      std::vector<double> sorted;
      for (Index i = 0; i < 4000; ++i) sorted.push_back(std::abs(double(x[row * 4000 + i])));
      std::sort(sorted.begin(), sorted.end());
      const double end = sorted[static_cast<std::size_t>(40 * percentile) - 1];
      for (int j = 0; j < 7; ++j)
        CHECK(clip_end(r, Coding::symmetric, j, 3, row) == doctest::Approx(end).epsilon(1e-6));
    }
  }
}

TEST_CASE("range: all numbers of a weight are seen, once, however many batches show it") {
  const Tensor x = bell({40'000});
  RangeOptions options = of(Coding::symmetric);
  options.percentile = 100;
  options.fresh = true;
  Real largest = 0;
  for (const Real v : x.span()) largest = std::max(largest, std::abs(v));
  const auto range = quant::make_range("percentile", options);
  for (int batch = 0; batch < 3; ++batch) range->observe(x);
  range->finish();
  const Ranges found = range->ranges(x);
  for (int j = 0; j < options.widths.count(); ++j)
    CHECK(found.scale.value()[j] ==
          doctest::Approx(largest / highest_code(Coding::symmetric, options.widths[j])));
}

TEST_CASE("range: percentile with a zero-point leaves out as many at each end") {
  Tensor x({1000});
  for (Index i = 0; i < 1000; ++i) x[i] = Real(i % 7 ? i - 250 : 250 - i);
  RangeOptions options = of(Coding::natural, 1, true);
  options.percentile = 98;
  std::vector<double> sorted(x.data(), x.data() + 1000);
  std::sort(sorted.begin(), sorted.end());
  const Ranges r = fitted("percentile", options, x);
  CHECK(double(r.scale.value()[6]) * 255 ==
        doctest::Approx(sorted[989] - sorted[10]).epsilon(1e-6));
  CHECK(double(r.zero.value()[6]) == std::nearbyint(-sorted[10] / double(r.scale.value()[6])));
}

TEST_CASE("range: percentile of numbers that are nearly all 0 covers the others") {
  Tensor x({100000}, Real(0));
  x[77] = 3;
  CHECK(clip_end(fitted("percentile", of(Coding::natural), x), Coding::natural, 2) ==
        doctest::Approx(3));
}

TEST_CASE("range: every batch counts, however many there are") {
  RangeOptions options = of(Coding::natural);
  options.percentile = 75;
  constexpr int batches = 40;
  constexpr Index size = 1 << 14;  // so that all numbers of 16 batches have room
  const auto calibrated = [&] {
    const auto range = quant::make_range("percentile", options);
    for (int i = 0; i < batches; ++i) {
      Tensor x = bell({size}, static_cast<std::uint64_t>(100 + i));
      for (Real& v : x.span()) v = std::abs(v) * (i < batches / 2 ? 1 : 10);
      range->observe(x);
    }
    range->finish();
    return range->ranges(Tensor({1}));
  };
  std::vector<double> all;
  for (int i = 0; i < batches; ++i) {
    const Tensor x = bell({size}, static_cast<std::uint64_t>(100 + i));
    for (const Real v : x.span()) all.push_back(std::abs(double(v)) * (i < batches / 2 ? 1 : 10));
  }
  std::nth_element(all.begin(), all.begin() + std::ssize(all) * 3 / 4, all.end());
  const double expected = all[all.size() * 3 / 4];
  const Ranges found = calibrated(), again = calibrated();
  CHECK(clip_end(found, Coding::natural, 2) == doctest::Approx(expected).epsilon(0.02));
  CHECK(clip_end(found, Coding::natural, 2) == clip_end(again, Coding::natural, 2));
}

TEST_CASE("range: kl is the least of 241 thresholds") {
  const Tensor x = bell({1500}, 5);
  std::vector<double> magnitudes;
  double largest = 0;
  for (const Real v : x.span()) {
    magnitudes.push_back(std::abs(double(v)));
    largest = std::max(largest, magnitudes.back());
  }
  const Ranges r = fitted("kl", of(Coding::symmetric), x);
  for (const int bits : {3, 5, 8}) {
    const double top = highest_code(Coding::symmetric, bits);
    double least = HUGE_VAL;
    for (int step = 16; step <= 256; ++step)
      least = std::min(least, divergence(magnitudes, largest, step / 256.0, top));
    const double chosen = clip_end(r, Coding::symmetric, bits - 2) / largest;
    const int step = int(std::lround(chosen * 256));
    CHECK(chosen * 256 == doctest::Approx(step).epsilon(1e-4));
    // Numbers at the edge of a code may fall either way in float and in double.
    CHECK(divergence(magnitudes, largest, step / 256.0, top) ==
          doctest::Approx(least).epsilon(1e-3));
  }
}

TEST_CASE("range: kl clips a far outlier, and is near the largest number at 8 bits without one") {
  Tensor x = bell({20000});
  for (const Coding coding : {Coding::symmetric, Coding::twos, Coding::natural}) {
    if (coding == Coding::natural)
      for (Real& v : x.span()) v = std::max(v, Real(0));
    x[0] = 4;
    CHECK(clip_end(fitted("kl", of(coding), x), coding, 6) > 2.8);
    x[0] = 60;
    CHECK(clip_end(fitted("kl", of(coding), x), coding, 6) < 30);
    CHECK(clip_end(fitted("kl", of(coding), x), coding, 6) > 2.8);
  }
}

TEST_CASE("range: kl of few numbers clips none of them") {
  const Tensor x({5}, std::array<Real, 5>{Real(0.1), Real(0.3), Real(0.31), Real(0.5), Real(0.6)});
  for (int j = 0; j < 7; ++j)
    CHECK(clip_end(fitted("kl", of(Coding::natural), x), Coding::natural, j) ==
          doctest::Approx(0.6));
}

TEST_CASE("range: kl leaves out what is no number, and finds no end for what has none") {
  const Tensor x = bell({1500}, 5);
  Tensor more({1510}, Real(NAN));
  std::copy_n(x.data(), 1500, more.data() + 10);
  for (const bool affine : {false, true}) {
    const RangeOptions options = of(Coding::natural, 1, affine);
    const Ranges expected = fitted("kl", options, x), found = fitted("kl", options, more);
    for (int j = 0; j < 7; ++j) {
      CHECK(found.scale.value()[j] == expected.scale.value()[j]);
      CHECK(found.zero.value()[j] == expected.zero.value()[j]);
    }
    Tensor endless = x.clone();
    endless[3] = Real(-HUGE_VAL);
    endless[4] = Real(HUGE_VAL);
    CHECK_FALSE(std::isfinite(fitted("kl", options, endless).scale.value()[0]));
  }
}

TEST_CASE("range: kl of both signs with a zero-point") {
  Tensor x = bell({20000});
  for (Real& v : x.span()) v += 1;
  x[5] = 40;
  const Ranges r = fitted("kl", of(Coding::natural, 1, true), x);
  const double scale = double(r.scale.value()[6]), zero = double(r.zero.value()[6]);
  CHECK(scale * (255 - zero) < 30);
  CHECK(scale * (255 - zero) > 3);
  CHECK(-scale * zero < -1);
}

TEST_CASE("range: every policy gives zeros some range") {
  for (const char* policy : {"minmax", "percentile", "mse", "kl", "learned"})
    for (const bool affine : {false, true}) {
      const RangeOptions options = of(Coding::natural, 1, affine);
      const Ranges r = fitted(policy, options, Tensor({10}, Real(0)));
      for (const Real s : r.scale.value().span()) CHECK(s > 0);
      for (const Real z : r.zero.value().span()) CHECK(z == 0);
    }
}

TEST_CASE("range: without momentum minmax stays where calibration left it") {
  RangeOptions options{Coding::natural, Widths::one(8), 1, false, true, false};
  for (const double momentum : {0.0, 0.25}) {
    options.momentum = momentum;
    const auto range = quant::minmax_range(options);
    range->observe(Tensor({1}, Real(1)));
    range->observe(Tensor({1}, Real(3)));  // calibration: the largest, or a step towards it
    const double seen = momentum > 0 ? 1.5 : 3;
    CHECK(range->ranges(Tensor({1}, Real(9))).scale.value()[0] == doctest::Approx(seen / 255));
    TrainingStep step({1, 0, 0});
    const double moved = seen + momentum * (9 - seen);
    CHECK(range->ranges(Tensor({1}, Real(9))).scale.value()[0] == doctest::Approx(moved / 255));
  }
}

TEST_CASE("range: a learned zero-point starts at mse, moves by its gradient and stays a code") {
  const RangeOptions options{Coding::natural, Widths::range(2, 4), 1, true, false, false};
  Tensor x = bell({5000});
  for (Real& v : x.span()) v += Real(0.7);
  const Ranges mse = fitted("mse", options, x);
  const auto range = quant::learned_range(options);
  range->observe(x);
  range->finish();
  REQUIRE(range->parameters().size() == 2);
  for (int j = 0; j < 3; ++j) {
    CHECK(range->ranges(x).scale.value()[j] == doctest::Approx(double(mse.scale.value()[j])));
    CHECK(std::nearbyint(double(range->ranges(x).zero.value()[j])) == double(mse.zero.value()[j]));
  }
  {
    Tape tape;
    const Ranges r = range->ranges(x);
    tape.backward(op::sum(r.zero));
    CHECK(range->parameters()[1].grad()[2] == 15);  // dz / dshare = hi
  }
  range->parameters()[1].value()[0] = Real(-0.2);
  range->parameters()[1].value()[1] = Real(1.7);
  CHECK(range->ranges(x).zero.value()[0] == 0);
  CHECK(range->ranges(x).zero.value()[1] == 7);
}

TEST_CASE("range: learned ranges have the gradients of LSQ, times 1 / sqrt(N hi) where asked") {
  RangeOptions options{Coding::symmetric, Widths::range(2, 4), 2, false, false, false};
  const Tensor x = bell({2, 300});
  std::vector<double> gradients[2];
  for (const Index elements : {0, 300}) {
    options.elements = elements;
    const auto range = quant::learned_range(options);
    range->observe(x);
    range->finish();
    Tape tape;
    tape.backward(op::sum(range->ranges(x).scale));
    const Tensor grad = range->parameters()[0].grad();
    for (const Real g : grad.span()) gradients[elements > 0].push_back(double(g));
  }
  for (std::size_t i = 0; i < 6; ++i)
    CHECK(gradients[1][i] ==
          doctest::Approx(gradients[0][i] / std::sqrt(300 * (std::pow(2.0, i / 2 + 1) - 1))));
}

TEST_CASE("range: unknown policies are refused") {
  CHECK_THROWS_WITH_AS(quant::make_range("entropy", of(Coding::natural)),
                       "[quant] no such range policy: got entropy; expected minmax, percentile, "
                       "mse, kl or learned",
                       Error);
}

}  // namespace fraqat::range_fit_test
