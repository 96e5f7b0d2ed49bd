#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "core/error.hpp"
#include "core/real.hpp"

/// The arithmetic of quantization, once, for trainer, engine and exporters:
/// which integers a width has, and how a number becomes one of them.
namespace fraqat::inline FRAQAT_PRECISION::quant {

/// The codes lo, lo + step, ..., hi; a step of 2 has the two codes -1 and 1 only.
struct Grid {
  std::int32_t lo = 0, hi = 0, step = 1;
  bool operator==(const Grid&) const = default;
  constexpr std::int32_t count() const { return (hi - lo) / step + 1; }
};

/// How a width turns into codes.
///   symmetric  [-(2^(b-1) - 1), 2^(b-1) - 1]   weights: 0 in the middle, no zero-point;
///              {-1, 1} for one bit (binary), {-1, 0, 1} for two (ternary)
///   twos       [-2^(b-1), 2^(b-1) - 1]         activations of both signs
///   natural    [0, 2^b - 1]                    activations after a ReLU, affine ranges
enum class Coding { symmetric, twos, natural };

constexpr int min_bits = 2;
constexpr int binary_bits = 1;  // of weights only: a 1-bit grid has no 0
constexpr int max_bits = 8;

inline Grid grid_of(Coding coding, int bits) {
  if (coding == Coding::symmetric && bits == binary_bits) return {-1, 1, 2};
  check(bits >= min_bits && bits <= max_bits, "[quant] bit-width out of range: got ", bits,
        "; expected ", min_bits, " to ", max_bits);
  const std::int32_t half = std::int32_t{1} << (bits - 1);
  if (coding == Coding::symmetric) return {-(half - 1), half - 1};
  if (coding == Coding::twos) return {-half, half - 1};
  return {0, 2 * half - 1};
}

/// x rounded to the nearest whole number, ties to even, for |x| < 2^22 (float)
/// or 2^51 (double): adding a constant so large that the fraction does not fit
/// rounds as the hardware does, without an instruction that SSE2 lacks.
constexpr float round_even(float x) {
  constexpr float shift = 0x1.8p23f;
  return (x + shift) - shift;
}
constexpr double round_even(double x) {
  constexpr double shift = 0x1.8p52;
  return (x + shift) - shift;
}

/// The code of x, less the zero-point: clamp(rne(fl(x / scale)), lo - zero, hi - zero).
/// Clamping first gives the same, since the ends are whole, and keeps round_even
/// in its range.  NaN becomes the low end.  On a grid of two codes (step 2): lo where
/// x / scale < 0, else hi.
template <class T>
constexpr T centred_code(T x, T scale, T lo_less_zero, T hi_less_zero, std::int32_t step = 1) {
  const T u = x / scale;
  if (step == 2) return u < 0 ? lo_less_zero : hi_less_zero;
  const T above = u > lo_less_zero ? u : lo_less_zero;
  return round_even(above < hi_less_zero ? above : hi_less_zero);
}

/// The code of x on `grid`: clamp(rne(fl(x / scale)) + zero, lo, hi).
constexpr std::int32_t quantize(float x, float scale, std::int32_t zero, Grid grid) {
  return static_cast<std::int32_t>(centred_code(x, scale, static_cast<float>(grid.lo - zero),
                                                static_cast<float>(grid.hi - zero), grid.step)) +
         zero;
}

/// From an accumulator to a code: clamp(rne(fl(fl(float(acc) M) + O)), lo, hi).
/// Two float32 roundings; this must never be contracted to a fused multiply-add
/// (the build says -ffp-contract=off).
constexpr std::int32_t requantize(std::int32_t acc, float multiplier, float offset, Grid grid) {
  const float product = static_cast<float>(acc) * multiplier;
  const float u = product + offset;
  const auto lo = static_cast<float>(grid.lo), hi = static_cast<float>(grid.hi);
  return static_cast<std::int32_t>(round_even(u > lo ? (u < hi ? u : hi) : lo));
}

/// The sum of two codes less their zero-points, on a new grid:
/// clamp(rne(fl(fl(fl(q1 M1) + fl(q2 M2)) + O)), lo, hi), in this order.
constexpr std::int32_t requantize_sum(std::int32_t q1, float m1, std::int32_t q2, float m2,
                                      float offset, Grid grid) {
  const float first = static_cast<float>(q1) * m1;
  const float second = static_cast<float>(q2) * m2;
  const float sum = first + second;
  const float u = sum + offset;
  const auto lo = static_cast<float>(grid.lo), hi = static_cast<float>(grid.hi);
  return static_cast<std::int32_t>(round_even(u > lo ? (u < hi ? u : hi) : lo));
}

/// Candidate widths of one quantizer, rising; at most as many as there are widths.
class Widths {
 public:
  static constexpr int most = max_bits - binary_bits + 1;

  Widths() = default;
  explicit Widths(std::span<const int> bits) {
    check(!bits.empty() && bits.size() <= most, "[quant] wrong number of candidate widths: got ",
          bits.size(), "; expected 1 to ", most);
    for (const int b : bits) {
      check(b >= binary_bits && b <= max_bits && (count_ == 0 || b > bits_[count_ - 1]),
            "[quant] candidate widths must rise from ", binary_bits, " to ", max_bits, ": got ", b,
            count_ ? " after another" : "");
      bits_[count_++] = b;
    }
  }
  static Widths range(int low, int high) {
    std::array<int, most> all{};
    int n = 0;
    for (int b = low; b <= high && n < most; ++b) all[static_cast<std::size_t>(n++)] = b;
    return Widths(std::span<const int>(all.data(), static_cast<std::size_t>(n)));
  }
  static Widths one(int bits) { return range(bits, bits); }

  int count() const { return static_cast<int>(count_); }
  int operator[](int j) const { return bits_[static_cast<std::size_t>(j)]; }
  int lowest() const { return bits_[0]; }
  int highest() const { return bits_[count_ - 1]; }

  /// Position of `bits` among the candidates, -1 if it is none.
  int find(int bits) const {
    for (int j = 0; j < count(); ++j)
      if ((*this)[j] == bits) return j;
    return -1;
  }

 private:
  std::array<int, most> bits_{};
  std::size_t count_ = 0;
};

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
