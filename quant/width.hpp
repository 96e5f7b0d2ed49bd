#pragma once

#include <bit>
#include <cmath>
#include <string>

#include "core/shape.hpp"
#include "quant/grid.hpp"

/// Widths that hardware can store: whole bits, or a number of levels that is no power of
/// two, several codes of which share a word.
namespace fraqat::inline FRAQAT_PRECISION::quant {

/// `codes` codes of L levels are the digits, to base L, of one little-endian word of `bytes`
/// bytes: 5 codes of 3 levels in a byte (3^5 = 243), 1.6 bits each.
struct Radix {
  int codes = 0, bytes = 0;
  constexpr double bits() const { return 8.0 * bytes / codes; }
};

/// The densest word of 1, 2, 4 or 8 bytes, the smallest of those that are equal, for 3 to 255
/// levels that are no power of two.
constexpr Radix radix_of(int levels) {
  Radix best;
  for (const int bytes : {1, 2, 4, 8}) {
    const std::uint64_t base = static_cast<std::uint64_t>(levels);
    const std::uint64_t last = ~std::uint64_t{0} >> (64 - 8 * bytes);
    int codes = 0;
    for (std::uint64_t values = 1; values <= last / base; ++codes) values *= base;
    if (codes > 0 && (best.codes == 0 || codes * best.bytes > best.codes * bytes))
      best = {codes, bytes};
  }
  return best;
}

/// What one code of a tensor takes: b whole bits, or 8 bytes / codes of its radix.  A whole
/// number of bits converts by itself.
class Width {
 public:
  constexpr Width(int bits) : bits_(bits) {}
  constexpr Width() = default;

  /// A power of two is a whole number of bits; 3 to 255 levels otherwise.
  static Width of_levels(int levels) {
    check(levels >= 2 && levels <= (1 << max_bits), "[quant] level count out of range: got ",
          levels, "; expected 2 to ", 1 << max_bits);
    const auto count = static_cast<unsigned>(levels);
    Width width(std::bit_width(count) - 1);
    if (!std::has_single_bit(count)) width.levels_ = levels;
    return width;
  }

  bool whole() const { return levels_ == 0; }
  int levels() const { return levels_; }  // 0 for whole bits
  int whole_bits() const { return bits_; }

  /// How many codes there is room for.
  int most_codes() const { return whole() ? 1 << bits_ : levels_; }

  /// Stored bits of one code: what averages and budgets count.
  double bits() const { return whole() ? bits_ : radix_of(levels_).bits(); }

  /// Bytes of `count` codes; the last word of a radix is stored whole.
  Index bytes(Index count) const {
    if (whole()) return (count * bits_ + 7) / 8;
    const Radix radix = radix_of(levels_);
    return (count + radix.codes - 1) / radix.codes * radix.bytes;
  }

  /// The codes.  Symmetric ones have a 0 in the middle, so that their number must be odd.
  Grid grid(Coding coding) const {
    if (whole()) return grid_of(coding, bits_);
    check(coding != Coding::symmetric || levels_ % 2 == 1,
          "[quant] symmetric codes need an odd number of levels: got ", levels_);
    const int half = levels_ / 2;
    if (coding == Coding::symmetric) return {-half, half};
    if (coding == Coding::twos) return {-half, levels_ - half - 1};
    return {0, levels_ - 1};
  }

  /// The real b whose grid these codes are (level.hpp): what a learned b is compared with.
  double level_bits(Coding coding) const {
    if (whole()) return bits_;
    return coding == Coding::symmetric ? 1 + std::log2((levels_ + 1) / 2.0) : std::log2(levels_);
  }

  /// "3", or "6 levels".
  std::string text() const {
    return whole() ? std::to_string(bits_) : std::to_string(levels_) + " levels";
  }

  bool operator==(const Width&) const = default;

 private:
  int bits_ = max_bits;
  int levels_ = 0;
};

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
