#include "core/error.hpp"
#include "quant/deploy/packed.hpp"

namespace fraqat::deploy {

std::vector<std::byte> pack_codes(std::span<const std::int8_t> codes, const Grid& grid, int bits) {
  std::vector<std::byte> bytes(
      static_cast<std::size_t>(packed_bytes(static_cast<Index>(codes.size()), bits)));
  std::size_t position = 0;  // in bits
  for (const std::int8_t code : codes) {
    const auto u = static_cast<unsigned>((code - grid.lo) / grid.step) << position % 8;
    bytes[position / 8] |= static_cast<std::byte>(u & 255);
    if (u > 255) bytes[position / 8 + 1] |= static_cast<std::byte>(u >> 8);
    position += static_cast<std::size_t>(bits);
  }
  return bytes;
}

std::vector<std::int8_t> unpack_codes(std::span<const std::byte> bytes, Index count,
                                      const Grid& grid, int bits, const std::string& where) {
  const Index size = packed_bytes(count, bits);
  check_input(static_cast<Index>(bytes.size()) == size, where, ": wrong size: got ", bytes.size(),
              " bytes; expected ", size, " for ", count, " codes of ", bits, " bits");
  const auto byte = [&](std::size_t i) {
    return i < bytes.size() ? std::to_integer<unsigned>(bytes[i]) : 0u;
  };
  std::vector<std::int8_t> codes(static_cast<std::size_t>(count));
  std::size_t position = 0;  // in bits
  for (std::size_t i = 0; i < codes.size(); ++i, position += static_cast<std::size_t>(bits)) {
    const unsigned pair = byte(position / 8) | byte(position / 8 + 1) << 8;
    const unsigned u = pair >> position % 8 & ((1u << bits) - 1);
    const int code = static_cast<int>(u) * grid.step + grid.lo;
    check_input(code <= grid.hi, where, ": code ", i, " off the grid: got ", code, "; expected ",
                grid.lo, " to ", grid.hi);
    codes[i] = static_cast<std::int8_t>(code);
  }
  if (position % 8)
    check_input(byte(position / 8) >> position % 8 == 0, where,
                ": bits behind the last code: got byte ", byte(position / 8), " at offset ",
                position / 8, "; expected zeros from bit ", position % 8, " on");
  return codes;
}

}  // namespace fraqat::deploy
