#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <limits>

#include "quant/grid.hpp"
#include "tests/deploy/random_graph.hpp"

namespace fraqat::rounding_test {

using quant::Grid;

namespace {

/// whole * 2^exponent, exactly: arithmetic on whole numbers, no floats anywhere.
struct Exact {
  __extension__ using Whole = __int128;
  Whole whole = 0;
  int exponent = 0;

  static Exact of(float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    const auto field = static_cast<int>(bits >> 23 & 255);
    Whole digits = bits & 0x7fffff;
    if (field) digits |= 0x800000;
    return {bits >> 31 ? -digits : digits, (field ? field : 1) - 150};
  }

  /// To the nearest multiple of 2^e, ties to the even multiple.
  Exact rounded(int e) const {
    if (e <= exponent) return *this;
    if (e - exponent > 120) return {0, e};
    const Whole unit = Whole{1} << (e - exponent);
    Whole quotient = whole / unit, rest = whole % unit;
    if (rest < 0) rest += unit, --quotient;  // floor
    if (2 * rest > unit || (2 * rest == unit && quotient % 2 != 0)) ++quotient;
    return {quotient, e};
  }

  /// To the 24 digits of a float (no overflow, subnormals at 2^-149).
  Exact as_float() const {
    Whole magnitude = whole < 0 ? -whole : whole;
    int digits = 0;
    for (; magnitude; magnitude /= 2) ++digits;
    return rounded(std::max(exponent + digits - 24, -149));
  }

  friend Exact operator*(Exact a, Exact b) { return {a.whole * b.whole, a.exponent + b.exponent}; }

  // Sums of floats whose exponents are at most 60 apart, or where the smaller
  // one is far below half a digit and rounds away: then a sticky digit stands for it.
  friend Exact operator+(Exact a, Exact b) {
    if (a.whole == 0) return b;
    if (b.whole == 0) return a;
    if (a.exponent < b.exponent) std::swap(a, b);
    const int gap = a.exponent - b.exponent;
    if (gap > 60) return {(a.whole << 60) + (b.whole > 0 ? 1 : -1), a.exponent - 60};
    return {(a.whole << gap) + b.whole, b.exponent};
  }

  std::int32_t clamped(Grid grid) const {
    const Exact r = rounded(0);
    // Whole numbers from here on; what does not fit is beyond the grid anyway.
    Whole value = r.whole;
    for (int e = r.exponent; e > 0 && value < (Whole{1} << 80) && value > -(Whole{1} << 80); --e)
      value *= 2;
    return static_cast<std::int32_t>(value < grid.lo ? grid.lo : value > grid.hi ? grid.hi : value);
  }
};

std::int32_t oracle(std::int32_t acc, float m, float o, Grid grid) {
  const Exact product = (Exact{acc, 0}.as_float() * Exact::of(m)).as_float();
  return (product + Exact::of(o)).as_float().clamped(grid);
}

std::int32_t sum_oracle(std::int32_t q1, float m1, std::int32_t q2, float m2, float o, Grid grid) {
  const Exact first = (Exact{q1, 0} * Exact::of(m1)).as_float();
  const Exact second = (Exact{q2, 0} * Exact::of(m2)).as_float();
  return ((first + second).as_float() + Exact::of(o)).as_float().clamped(grid);
}

constexpr Grid byte{0, 255}, twos{-128, 127}, nibble{-8, 7};

}  // namespace

TEST_CASE("the oracle itself, by hand") {
  CHECK(Exact::of(0.75f).whole == 3 << 22);
  CHECK(Exact::of(0.75f).exponent == -24);
  CHECK(Exact{16777217, 0}.as_float().whole * 2 == 16777216);  // 2^24 + 1 is a tie: to even
  CHECK(Exact{16777219, 0}.as_float().whole * 2 == 16777220);
  CHECK(Exact{5, -1}.clamped(byte) == 2);  // 2.5
  CHECK(Exact{7, -1}.clamped(byte) == 4);
  CHECK(Exact{-5, -1}.clamped(twos) == -2);
  CHECK(Exact{1, 40}.clamped(byte) == 255);
}

TEST_CASE("requantize: all accumulators of 16 bits, at multipliers that make ties") {
  // M = 2^-k and 3 2^-k put every accumulator on, or exactly between, two codes.
  for (const float m : {0.5f, -0.25f, 0.01171875f, -0.001953125f, 0.1f, -0.0f, 1.0f / 3})
    for (const float o : {0.0f, -3.5f, 7.25f}) {
      Index wrong = 0, ties = 0;
      for (std::int32_t acc = -32768; acc <= 32767; ++acc) {
        wrong += quant::requantize(acc, m, o, byte) != oracle(acc, m, o, byte);
        wrong += quant::requantize(acc, m, o, nibble) != oracle(acc, m, o, nibble);
        const Exact twice =
            ((Exact{acc, 0} * Exact::of(m)).as_float() + Exact::of(o)) * Exact{2, 0};
        const Exact nearest = twice.rounded(0);
        ties += nearest.exponent == 0 && nearest.whole % 2 != 0 &&
                (nearest + Exact{-twice.whole, twice.exponent}).whole == 0;
      }
      CAPTURE(m);
      CAPTURE(o);
      CHECK(wrong == 0);
      if (m == 0.5f && o != 7.25f) CHECK(ties == 32768);
    }
}

TEST_CASE("requantize: 2^16 accumulators times 2^16 multipliers, thinned to a grid") {
  test::Dice dice(5);
  Index wrong = 0;
  for (int i = 0; i < 1024; ++i) {
    const float m = std::bit_cast<float>(static_cast<std::uint32_t>(
        dice.whole(0x30000000, 0x3f800000) | (dice.whole(0, 1) << 31)));  // 2^-31 to 1
    const float o = dice.real(-300, 300);
    for (int k = 0; k < 256; ++k) {
      const auto acc = static_cast<std::int32_t>(dice.whole(0, 65535) - 32768);
      const Grid grid = k % 2 ? byte : twos;
      wrong += quant::requantize(acc, m, o, grid) != oracle(acc, m, o, grid);
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("requantize: large accumulators are converted half to even, and saturate") {
  using Limits = std::numeric_limits<std::int32_t>;
  // 2^24 + 1 and 2^24 + 3 lie between two floats: 2^24 and 2^24 + 4.
  CHECK(quant::requantize(16777217, 1, -16777216, byte) == 0);
  CHECK(quant::requantize(16777219, 1, -16777216, byte) == 4);
  CHECK(quant::requantize(-16777219, 1, 16777216, twos) == -4);
  CHECK(quant::requantize(Limits::max(), 1, 0, byte) == 255);
  CHECK(quant::requantize(Limits::min(), 1, 0, byte) == 0);
  CHECK(quant::requantize(Limits::min(), -1, 0, twos) == 127);
  CHECK(quant::requantize(Limits::max(), 3e38f, 0, byte) == 255);  // infinite: the high end
  CHECK(quant::requantize(Limits::max(), -3e38f, 0, byte) == 0);   // the low end
  CHECK(quant::requantize(1, 3e38f, -3e38f, byte) == 0);
  test::Dice dice(6);
  Index wrong = 0;
  for (int i = 0; i < 200000; ++i) {
    const auto acc = static_cast<std::int32_t>(dice.whole(0, 0xfffffffe) + Limits::min());
    const float m = dice.real(-3e-7f, 3e-7f), o = dice.real(-130, 260);
    wrong += quant::requantize(acc, m, o, twos) != oracle(acc, m, o, twos);
  }
  CHECK(wrong == 0);
}

TEST_CASE("requantize_sum: every pair of 8-bit codes") {
  struct Constants {
    float m1, m2, o;
  };
  for (const auto& [m1, m2, o] : {Constants{0.5f, 0.5f, 0},
                                  {0.5f, 0.25f, 3},
                                  {1, -0.5f, 0.5f},
                                  {0.1f, 0.7f, 12},
                                  {-1.5f, 1e-3f, 100},
                                  {0, 0.0078125f, 0.5f}}) {
    Index wrong = 0;
    for (std::int32_t q1 = -128; q1 <= 255; ++q1)
      for (std::int32_t q2 = -128; q2 <= 255; ++q2)
        wrong +=
            quant::requantize_sum(q1, m1, q2, m2, o, byte) != sum_oracle(q1, m1, q2, m2, o, byte);
    CHECK(wrong == 0);
  }
}

TEST_CASE("quantize: ties go to even codes, before the zero-point is added") {
  // x / s = k + 1/2 exactly.
  for (std::int32_t k = -40; k <= 40; ++k) {
    const float x = (static_cast<float>(k) + 0.5f) * 0.25f;
    const std::int32_t even = k % 2 == 0 ? k : k + 1;
    for (const std::int32_t zero : {0, 1, 7})
      CHECK(quant::quantize(x, 0.25f, zero, twos) == even + zero);
    CHECK(quant::quantize(x, 0.25f, 5, {0, 15}) == std::clamp(even + 5, 0, 15));
  }
}

TEST_CASE("quantize: saturation, infinities, NaN, and codes that survive a round trip") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  CHECK(quant::quantize(1e30f, 0.5f, 3, {0, 15}) == 15);
  CHECK(quant::quantize(-1e30f, 0.5f, 3, {0, 15}) == 0);
  CHECK(quant::quantize(infinity, 0.5f, 3, {0, 15}) == 15);
  CHECK(quant::quantize(-infinity, 0.5f, 3, {0, 15}) == 0);
  CHECK(quant::quantize(std::numeric_limits<float>::quiet_NaN(), 0.5f, 3, {0, 15}) == 0);
  test::Dice dice(9);
  for (int i = 0; i < 500; ++i) {
    const float scale = dice.real(1e-4f, 3);
    for (std::int32_t q = 0; q <= 255; q += 5)
      CHECK(quant::quantize(static_cast<float>(q - 77) * scale, scale, 77, byte) == q);
  }
}

}  // namespace fraqat::rounding_test
