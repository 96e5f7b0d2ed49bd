#include "tests/support/png_writer.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

namespace fraqat::test::png {
namespace {

struct Pass {
  int x, y, dx, dy;
};

// The figure of Adam7 in the standard.
constexpr std::array<Pass, 7> adam7 = {{{0, 0, 8, 8},
                                        {4, 0, 8, 8},
                                        {0, 4, 4, 8},
                                        {2, 0, 4, 4},
                                        {0, 2, 2, 4},
                                        {1, 0, 2, 2},
                                        {0, 1, 1, 2}}};

/// The samples of one row of one pass, packed into bytes.
std::string packed_row(const Samples& s, const Pass& pass, int y) {
  std::string row;
  int bits = 0, used = 0;
  for (int x = pass.x; x < s.width; x += pass.dx)
    for (int c = 0; c < s.per_pixel(); ++c) {
      const int value = s.values[static_cast<std::size_t>((y * s.width + x) * s.per_pixel() + c)];
      bits = bits << s.depth | value;
      used += s.depth;
      while (used >= 8) {
        used -= 8;
        row += static_cast<char>(bits >> used & 255);
      }
      bits &= (1 << used) - 1;
    }
  if (used > 0) row += static_cast<char>(bits << (8 - used) & 255);
  return row;
}

int paeth(int a, int b, int c) {
  const int p = a + b - c;
  const int pa = std::abs(p - a), pb = std::abs(p - b), pc = std::abs(p - c);
  if (pa <= pb && pa <= pc) return a;
  return pb <= pc ? b : c;
}

std::string filtered(const std::string& row, const std::string& above, int filter,
                     std::size_t stride) {
  const auto at = [](const std::string& text, std::size_t i) {
    return static_cast<unsigned char>(text[i]);
  };
  std::string out(1, static_cast<char>(filter));
  for (std::size_t i = 0; i < row.size(); ++i) {
    const int a = i < stride ? 0 : at(row, i - stride);
    const int b = above.empty() ? 0 : at(above, i);
    const int c = above.empty() || i < stride ? 0 : at(above, i - stride);
    const std::array<int, 5> predicted = {0, a, b, (a + b) / 2, paeth(a, b, c)};
    out += static_cast<char>(at(row, i) - predicted[static_cast<std::size_t>(filter)]);
  }
  return out;
}

}  // namespace

std::string big_endian(std::uint32_t value) {
  std::string text;
  for (int shift : {24, 16, 8, 0}) text += static_cast<char>(value >> shift & 255);
  return text;
}

std::string chunk(std::string_view type, std::string_view data) {
  std::string covered(type);
  covered += data;
  const uLong crc =
      ::crc32(0, reinterpret_cast<const Bytef*>(covered.data()), static_cast<uInt>(covered.size()));
  return big_endian(static_cast<std::uint32_t>(data.size())) + covered +
         big_endian(static_cast<std::uint32_t>(crc));
}

std::string header(std::uint32_t width, std::uint32_t height, int depth, int colour,
                   int interlace) {
  const std::string format = {static_cast<char>(depth), static_cast<char>(colour), 0, 0,
                              static_cast<char>(interlace)};
  return chunk("IHDR", big_endian(width) + big_endian(height) + format);
}

std::string compressed(std::string_view raw) {
  uLongf size = ::compressBound(static_cast<uLong>(raw.size()));
  std::string out(size, '\0');
  ::compress2(reinterpret_cast<Bytef*>(out.data()), &size,
              reinterpret_cast<const Bytef*>(raw.data()), static_cast<uLong>(raw.size()),
              Z_BEST_SPEED);
  out.resize(size);
  return out;
}

std::string filtered_rows(const Samples& samples, bool interlaced) {
  const auto stride =
      static_cast<std::size_t>(std::max(1, samples.per_pixel() * samples.depth / 8));
  const Pass whole = {0, 0, 1, 1};
  std::string rows;
  for (std::size_t p = 0; p < (interlaced ? adam7.size() : 1); ++p) {
    const Pass& pass = interlaced ? adam7[p] : whole;
    if (pass.x >= samples.width) continue;
    std::string above;
    for (int y = pass.y, n = 0; y < samples.height; y += pass.dy, ++n) {
      const std::string row = packed_row(samples, pass, y);
      rows += filtered(row, above, n % 5, stride);
      above = row;
    }
  }
  return rows;
}

std::string file(const Samples& samples, bool interlaced, std::string_view palette) {
  const std::string data = compressed(filtered_rows(samples, interlaced));
  std::string out(signature);
  out +=
      header(static_cast<std::uint32_t>(samples.width), static_cast<std::uint32_t>(samples.height),
             samples.depth, samples.colour, interlaced ? 1 : 0);
  if (!palette.empty()) out += chunk("PLTE", palette);
  out += chunk("tEXt", "comment");
  out += chunk("IDAT", std::string_view(data).substr(0, 5));
  out += chunk("IDAT", std::string_view(data).substr(5));
  return out + chunk("IEND", "");
}

}  // namespace fraqat::test::png
