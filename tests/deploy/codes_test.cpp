// Codes in the packed file that are not all of one whole width: words of digits, and a width for
// each output channel.  Bits of one width: packed_test.cpp.

#include <doctest/doctest.h>

#include "quant/deploy/packed.hpp"
#include "tests/deploy/random_graph.hpp"

namespace fraqat::codes_test {

using namespace fraqat::deploy;
using fraqat::test::Dice;
using quant::Coding;

namespace {

Weight random_weight(const Shape& shape, std::vector<Width> widths, Coding coding, Dice& dice) {
  Weight weight{shape, std::move(widths), {}, {}, {1}};
  for (const Width& width : weight.width) weight.grid.push_back(width.grid(coding));
  const Index each = shape.size() / static_cast<Index>(weight.width.size());
  for (const Grid& grid : weight.grid)
    for (Index i = 0; i < each; ++i)
      weight.codes.push_back(
          static_cast<std::int8_t>(grid.lo + grid.step * dice.whole(0, grid.count() - 1)));
  return weight;
}

Weight levels_weight(int levels, Index count, Dice& dice) {
  return random_weight({count}, {Width::of_levels(levels)},
                       levels % 2 ? Coding::symmetric : Coding::twos, dice);
}

/// The digits of one word, as one would compute it with pencil and paper: byte by byte.
std::vector<int> word_by_hand(std::span<const std::int8_t> codes, const Grid& grid, int levels,
                              int bytes) {
  std::vector<int> word(static_cast<std::size_t>(bytes), 0);
  for (std::size_t i = codes.size(); i-- > 0;) {
    int carry = codes[i] - grid.lo;
    for (int& byte : word) {
      carry += byte * levels;
      byte = carry % 256;
      carry /= 256;
    }
    REQUIRE(carry == 0);
  }
  return word;
}

std::vector<int> words_by_hand(const Weight& weight) {
  const int levels = weight.width[0].levels();
  const quant::Radix radix = quant::radix_of(levels);
  std::vector<int> all;
  for (std::size_t i = 0; i < weight.codes.size(); i += static_cast<std::size_t>(radix.codes)) {
    const std::size_t n = std::min(weight.codes.size() - i, static_cast<std::size_t>(radix.codes));
    for (const int byte :
         word_by_hand(std::span(weight.codes).subspan(i, n), weight.grid[0], levels, radix.bytes))
      all.push_back(byte);
  }
  return all;
}

std::vector<int> numbers_of(std::span<const std::byte> bytes) {
  std::vector<int> numbers;
  for (const std::byte byte : bytes) numbers.push_back(std::to_integer<int>(byte));
  return numbers;
}

std::vector<std::int8_t> unpacked(std::span<const std::byte> bytes, Weight weight) {
  weight.codes.clear();
  unpack_codes(bytes, weight, "x");
  return weight.codes;
}

std::string refusal_of(std::span<const std::byte> bytes, const Weight& weight) {
  try {
    unpacked(bytes, weight);
  } catch (const Error& error) {
    CHECK(error.kind() == Error::Kind::input);
    return error.what();
  }
  return "";
}

bool says(const std::string& text, std::string_view part) {
  const bool found = text.find(part) != std::string::npos;
  if (!found) MESSAGE("got: ", text);
  return found;
}

}  // namespace

TEST_CASE("digits: three codes of 6 levels are a byte") {
  // 1 + 6 (5 + 6 * 2) = 103; then 4 alone.
  const Weight weight{{4}, {Width::of_levels(6)}, {{-3, 2}}, {-2, 2, -1, 1}, {1}};
  const auto bytes = pack_codes(weight);
  CHECK(numbers_of(bytes) == std::vector<int>{103, 4});
  CHECK(unpacked(bytes, weight) == weight.codes);
}

TEST_CASE("digits: every number of levels, every tail") {
  for (int levels = 3; levels < 256; ++levels) {
    if (Width::of_levels(levels).whole()) continue;
    const int digits = quant::radix_of(levels).codes;
    Dice dice(static_cast<std::uint32_t>(levels));
    for (Index count = 1; count <= 2 * digits + 1; ++count) {
      const Weight weight = levels_weight(levels, count, dice);
      const auto bytes = pack_codes(weight);
      REQUIRE(static_cast<Index>(bytes.size()) == weight.bytes());
      REQUIRE(numbers_of(bytes) == words_by_hand(weight));
      REQUIRE(unpacked(bytes, weight) == weight.codes);
    }
  }
}

TEST_CASE("digits: the largest word, and one more") {
  for (int levels = 3; levels < 256; ++levels) {
    const Width width = Width::of_levels(levels);
    if (width.whole()) continue;
    const quant::Radix radix = quant::radix_of(levels);
    Dice dice(1);
    Weight weight = levels_weight(levels, radix.codes, dice);
    weight.codes.assign(weight.codes.size(), static_cast<std::int8_t>(weight.grid[0].hi));
    auto bytes = pack_codes(weight);
    CHECK(unpacked(bytes, weight) == weight.codes);
    for (std::byte& byte : bytes) {  // add 1
      byte = static_cast<std::byte>(std::to_integer<int>(byte) + 1);
      if (byte != std::byte{0}) break;
    }
    CHECK(says(refusal_of(bytes, weight), "word 0 too large: got 1 above its digits"));
    bytes.assign(bytes.size(), std::byte{255});
    CHECK(says(refusal_of(bytes, weight), "word 0 too large"));
  }
}

TEST_CASE("digits: nothing behind the last code, no code off the grid, no byte too many") {
  Dice dice(2);
  for (int levels = 3; levels < 256; ++levels) {
    const Width width = Width::of_levels(levels);
    if (width.whole() || quant::radix_of(levels).codes == 1) continue;
    Weight weight = levels_weight(levels, quant::radix_of(levels).codes + 1, dice);
    auto bytes = pack_codes(weight);
    const Weight more = [&] {
      Weight longer = weight;
      longer.shape = {weight.shape.size() + 1};
      longer.codes.push_back(static_cast<std::int8_t>(weight.grid[0].lo + 1));
      return longer;
    }();
    CHECK(says(refusal_of(pack_codes(more), weight), "word 1 too large: got 1 above its digits"));
    bytes.push_back(std::byte{0});
    CHECK(says(refusal_of(bytes, weight), "wrong size: got"));
    bytes.pop_back();
    weight.codes[0] = static_cast<std::int8_t>(weight.grid[0].hi);
    bytes = pack_codes(weight);
    --weight.grid[0].hi;
    CHECK(says(refusal_of(bytes, weight), "code 0 off the grid"));
  }
}

TEST_CASE("a width for each channel: one stream of bits, channel after channel") {
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    Dice dice(seed);
    const Index rows = dice.whole(2, 9), length = dice.whole(1, 13);
    std::vector<Width> widths;
    for (Index o = 0; o < rows; ++o) widths.emplace_back(static_cast<int>(dice.whole(1, 8)));
    const Weight weight = random_weight({rows, length}, widths, Coding::symmetric, dice);

    std::vector<int> expected;  // the bits of the file, lowest first
    for (std::size_t i = 0; i < weight.codes.size(); ++i) {
      const std::size_t o = i / static_cast<std::size_t>(length);
      for (int b = 0; b < widths[o].whole_bits(); ++b)
        expected.push_back((weight.codes[i] - weight.grid[o].lo) / weight.grid[o].step >> b & 1);
    }
    const auto bits = static_cast<double>(expected.size());
    CHECK(weight.bits() == doctest::Approx(bits / static_cast<double>(weight.codes.size())));
    while (expected.size() % 8) expected.push_back(0);

    auto bytes = pack_codes(weight);
    REQUIRE(bytes.size() * 8 == expected.size());
    REQUIRE(static_cast<Index>(bytes.size()) == weight.bytes());
    for (std::size_t i = 0; i < expected.size(); ++i)
      REQUIRE((std::to_integer<int>(bytes[i / 8]) >> i % 8 & 1) == expected[i]);
    CHECK(unpacked(bytes, weight) == weight.codes);
    if (static_cast<std::size_t>(bits) % 8 == 0) continue;
    bytes.back() |= std::byte{128};
    CHECK(says(refusal_of(bytes, weight), "bits behind the last code"));
  }
}

}  // namespace fraqat::codes_test
