#include <algorithm>

#include "core/error.hpp"
#include "quant/deploy/packed.hpp"

namespace fraqat::deploy {
namespace {

/// A run of codes that share a grid, and where the first of them stands in the tensor.
template <class Code>
struct Run {
  std::span<Code> codes;
  Grid grid;
  Width width;
  std::size_t first = 0;
};

/// One run, or one for each output channel.
template <class Code, class Weights>
std::vector<Run<Code>> runs_of(Weights& weight) {
  const std::size_t length = weight.codes.size() / weight.width.size();
  std::vector<Run<Code>> runs;
  for (std::size_t o = 0; o < weight.width.size(); ++o)
    runs.push_back({std::span<Code>(weight.codes).subspan(o * length, length), weight.grid[o],
                    weight.width[o], o * length});
  return runs;
}

// --- whole bits ---------------------------------------------------------------------

/// Codes one behind the other, from the lowest bit of the first byte on.
struct BitWriter {
  std::span<std::byte> bytes;
  std::size_t position = 0;  // in bits

  void put(const Run<const std::int8_t>& run) {
    for (const std::int8_t code : run.codes) {
      const auto u = static_cast<unsigned>((code - run.grid.lo) / run.grid.step) << position % 8;
      bytes[position / 8] |= static_cast<std::byte>(u & 255);
      if (u > 255) bytes[position / 8 + 1] |= static_cast<std::byte>(u >> 8);
      position += static_cast<std::size_t>(run.width.whole_bits());
    }
  }
};

void check_code(int code, const Run<std::int8_t>& run, std::size_t i, const std::string& where) {
  check_input(code <= run.grid.hi, where, ": code ", run.first + i, " off the grid: got ", code,
              "; expected ", run.grid.lo, " to ", run.grid.hi);
}

struct BitReader {
  std::span<const std::byte> bytes;
  const std::string& where;
  std::size_t position = 0;  // in bits

  unsigned byte(std::size_t i) const {
    return i < bytes.size() ? std::to_integer<unsigned>(bytes[i]) : 0u;
  }

  void take(const Run<std::int8_t>& run) {
    const int bits = run.width.whole_bits();
    for (std::size_t i = 0; i < run.codes.size(); ++i) {
      const unsigned pair = byte(position / 8) | byte(position / 8 + 1) << 8;
      const unsigned u = pair >> position % 8 & ((1u << bits) - 1);
      const int code = static_cast<int>(u) * run.grid.step + run.grid.lo;
      check_code(code, run, i, where);
      run.codes[i] = static_cast<std::int8_t>(code);
      position += static_cast<std::size_t>(bits);
    }
  }

  void done() const {
    if (position % 8)
      check_input(byte(position / 8) >> position % 8 == 0, where,
                  ": bits behind the last code: got byte ", byte(position / 8), " at offset ",
                  position / 8, "; expected zeros from bit ", position % 8, " on");
  }
};

// --- a number of levels: words of several digits ------------------------------------

void put_words(const Run<const std::int8_t>& run, std::span<std::byte> bytes) {
  const quant::Radix radix = quant::radix_of(run.width.levels());
  const auto each = static_cast<std::size_t>(radix.codes);
  const auto size = static_cast<std::size_t>(radix.bytes);
  for (std::size_t word = 0; word * each < run.codes.size(); ++word) {
    std::uint64_t number = 0;
    // From the highest digit down: the first code becomes the lowest.
    for (std::size_t i = std::min((word + 1) * each, run.codes.size()); i-- > word * each;)
      number = number * static_cast<std::uint64_t>(run.width.levels()) +
               static_cast<std::uint64_t>(run.codes[i] - run.grid.lo);
    for (std::size_t b = 0; b < size; ++b)
      bytes[word * size + b] = static_cast<std::byte>(number >> 8 * b & 255);
  }
}

void take_words(std::span<const std::byte> bytes, const Run<std::int8_t>& run,
                const std::string& where) {
  const quant::Radix radix = quant::radix_of(run.width.levels());
  const auto each = static_cast<std::size_t>(radix.codes);
  const auto size = static_cast<std::size_t>(radix.bytes);
  const auto levels = static_cast<std::uint64_t>(run.width.levels());
  for (std::size_t word = 0; word * each < run.codes.size(); ++word) {
    std::uint64_t number = 0;
    for (std::size_t b = size; b-- > 0;)
      number = number << 8 | std::to_integer<std::uint64_t>(bytes[word * size + b]);
    const std::size_t end = std::min((word + 1) * each, run.codes.size());
    for (std::size_t i = word * each; i < end; ++i, number /= levels) {
      const int code = static_cast<int>(number % levels) + run.grid.lo;
      check_code(code, run, i, where);
      run.codes[i] = static_cast<std::int8_t>(code);
    }
    check_input(number == 0, where, ": word ", word, " too large: got ", number,
                " above its digits; expected 0 above ", end - word * each, " digits to base ",
                levels);
  }
}

std::string widths_text(const Weight& weight) {
  if (weight.width.size() > 1) return std::to_string(weight.width.size()) + " widths";
  return weight.width[0].text() + (weight.width[0].whole() ? " bits" : "");
}

}  // namespace

std::vector<std::byte> pack_codes(const Weight& weight) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(weight.bytes()));
  const auto runs = runs_of<const std::int8_t>(weight);
  if (!weight.width[0].whole()) {
    put_words(runs[0], bytes);
    return bytes;
  }
  BitWriter writer{bytes};
  for (const auto& run : runs) writer.put(run);
  return bytes;
}

void unpack_codes(std::span<const std::byte> bytes, Weight& weight, const std::string& where) {
  const Index size = weight.bytes();
  check_input(static_cast<Index>(bytes.size()) == size, where, ": wrong size: got ", bytes.size(),
              " bytes; expected ", size, " for ", weight.shape.size(), " codes of ",
              widths_text(weight));
  weight.codes.resize(static_cast<std::size_t>(weight.shape.size()));
  const auto runs = runs_of<std::int8_t>(weight);
  if (!weight.width[0].whole()) return take_words(bytes, runs[0], where);
  BitReader reader{bytes, where};
  for (const auto& run : runs) reader.take(run);
  reader.done();
}

}  // namespace fraqat::deploy
