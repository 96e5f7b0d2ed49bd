#include "quant/width.hpp"

#include <doctest/doctest.h>

#include <bit>

#include "quant/level.hpp"

namespace fraqat::width_test {

using quant::Coding;
using quant::Width;

TEST_CASE("width: the words of the usual radices") {
  // 3^5 = 243 in a byte; 6^3 = 216; 9^5 = 59,049 in two; 11^9 = 2.4e9 in four; 22^7 = 2.5e9.
  for (const auto& [levels, codes, bytes] :
       {std::array{3, 5, 1}, std::array{6, 3, 1}, std::array{9, 5, 2}, std::array{11, 9, 4},
        std::array{22, 7, 4}}) {
    CAPTURE(levels);
    CHECK(quant::radix_of(levels).codes == codes);
    CHECK(quant::radix_of(levels).bytes == bytes);
  }
  CHECK(quant::radix_of(3).bits() == 1.6);
}

TEST_CASE("width: no word holds a number too many, nor one digit more") {
  for (int levels = 3; levels < 256; ++levels) {
    if (std::has_single_bit(static_cast<unsigned>(levels))) continue;
    const quant::Radix radix = quant::radix_of(levels);
    const double room = std::exp2(8 * radix.bytes), used = std::pow(levels, radix.codes);
    CAPTURE(levels);
    CHECK(used <= room * (1 + 1e-12));
    CHECK(used * levels > room * (1 - 1e-12));
    CHECK(radix.bits() >= std::log2(levels) - 1e-12);
  }
}

TEST_CASE("width: whole bits are bits, powers of two too") {
  for (int bits = 2; bits <= 8; ++bits) {
    CHECK(Width(bits).bits() == bits);
    CHECK(Width::of_levels(1 << bits) == Width(bits));
    CHECK(Width(bits).bytes(5) == (5 * bits + 7) / 8);
    for (const Coding coding : {Coding::symmetric, Coding::twos, Coding::natural})
      CHECK(Width(bits).grid(coding) == quant::grid_of(coding, bits));
  }
  CHECK(Width(3).text() == "3");
}

TEST_CASE("width: levels have their grid, which is that of a real width") {
  for (int levels = 3; levels < 256; ++levels) {
    const Width width = Width::of_levels(levels);
    CAPTURE(levels);
    for (const Coding coding : {Coding::symmetric, Coding::twos, Coding::natural}) {
      if (width.whole() || (coding == Coding::symmetric && levels % 2 == 0)) continue;
      CHECK(width.grid(coding).count() == levels);
      if (coding == Coding::twos && levels % 2 == 1)
        continue;  // one code more below 0 than level has
      CHECK(quant::level_grid(coding, width.level_bits(coding)) == width.grid(coding));
    }
  }
  CHECK(Width::of_levels(6).text() == "6 levels");
  CHECK(Width::of_levels(6).bytes(7) == 3);
  CHECK_THROWS_WITH_AS(Width::of_levels(6).grid(Coding::symmetric),
                       doctest::Contains("odd number of levels: got 6"), Error);
  CHECK_THROWS_WITH_AS(Width::of_levels(257), doctest::Contains("expected 2 to 256"), Error);
}

}  // namespace fraqat::width_test
