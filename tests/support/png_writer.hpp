#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// A PNG writer for tests, written from the standard: every colour type, depth,
/// filter and interlacing, and the pieces to build wrong files from.
namespace fraqat::test::png {

inline constexpr std::string_view signature = "\x89PNG\r\n\x1a\n";

std::string big_endian(std::uint32_t value);
std::string chunk(std::string_view type, std::string_view data);
std::string header(std::uint32_t width, std::uint32_t height, int depth, int colour,
                   int interlace = 0);
std::string compressed(std::string_view raw);

/// Samples of an image: value of (y, x, c) at (y * width + x) * samples + c.
struct Samples {
  int width = 0, height = 0, depth = 8, colour = 0;
  std::vector<int> values;

  int per_pixel() const { return colour == 2 ? 3 : colour == 4 ? 2 : colour == 6 ? 4 : 1; }
};

/// Rows with their filter bytes, uncompressed: filter (row % 5) in every pass.
std::string filtered_rows(const Samples& samples, bool interlaced);

/// The whole file; `palette` goes before the data, which is cut into two IDAT.
std::string file(const Samples& samples, bool interlaced = false, std::string_view palette = {});

}  // namespace fraqat::test::png
