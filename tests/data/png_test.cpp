#include "data/png.hpp"

#include <doctest/doctest.h>

#include "core/error.hpp"
#include "core/file.hpp"
#include "tests/support/png_writer.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fraqat::data {
namespace {

using test::png::Samples;

Samples random_samples(int width, int height, int depth, int colour, std::uint32_t seed) {
  Samples samples{width, height, depth, colour, {}};
  samples.values.resize(static_cast<std::size_t>(width * height * samples.per_pixel()));
  for (int& value : samples.values) {
    seed = seed * 1664525u + 1013904223u;
    value = static_cast<int>(seed >> 8 & ((1u << depth) - 1));
  }
  return samples;
}

/// What data/png.hpp promises for `samples`: full range, upper byte, no alpha.
std::vector<std::uint8_t> expected_pixels(const Samples& s, const std::string& palette) {
  std::vector<std::uint8_t> pixels;
  const int colours = s.colour == 2 || s.colour == 6 ? 3 : 1;
  for (std::size_t i = 0; i < s.values.size(); ++i) {
    const int channel = static_cast<int>(i) % s.per_pixel(), value = s.values[i];
    if (s.colour == 3)
      for (std::size_t c = 0; c < 3; ++c) {
        const std::size_t at = 3 * static_cast<std::size_t>(value) + c;
        pixels.push_back(at < palette.size() ? static_cast<std::uint8_t>(palette[at]) : 0);
      }
    else if (channel < colours)
      pixels.push_back(static_cast<std::uint8_t>(
          s.depth == 16 ? value >> 8 : value * 255 / ((1 << s.depth) - 1)));
  }
  return pixels;
}

Image decode(const std::string& file) { return decode_png(std::as_bytes(std::span(file)), "test"); }

TEST_CASE("png: every colour type, depth, filter and interlacing") {
  struct Format {
    int colour;
    std::vector<int> depths;
  };
  const std::vector<Format> formats = {
      {0, {1, 2, 4, 8, 16}}, {2, {8, 16}}, {3, {1, 2, 4, 8}}, {4, {8, 16}}, {6, {8, 16}}};
  std::string palette;
  for (int i = 0; i < 3 * 16; ++i) palette += static_cast<char>(i * 37 + 11);
  std::uint32_t seed = 1;
  for (const Format& format : formats)
    for (int depth : format.depths)
      for (bool interlaced : {false, true})
        for (auto [width, height] :
             {std::pair(1, 1), {28, 28}, {7, 5}, {1, 9}, {13, 2}, {33, 17}}) {
          CAPTURE(format.colour);
          CAPTURE(depth);
          CAPTURE(interlaced);
          const Samples samples = random_samples(width, height, depth, format.colour, ++seed);
          CAPTURE(samples.width);
          const std::string colours = format.colour == 3 ? palette : "";
          const Image image = decode(test::png::file(samples, interlaced, colours));
          CHECK(image.width == width);
          CHECK(image.height == height);
          CHECK(image.channels == (format.colour == 0 || format.colour == 4 ? 1 : 3));
          CHECK(image.pixels == expected_pixels(samples, colours));
        }
}

TEST_CASE("png: transparent colours are dropped, not composited") {
  const Samples samples = random_samples(4, 4, 8, 0, 5);
  const std::string data = test::png::compressed(test::png::filtered_rows(samples, false));
  const Image image = decode(std::string(test::png::signature) + test::png::header(4, 4, 8, 0) +
                             test::png::chunk("tRNS", std::string("\0\0", 2)) +
                             test::png::chunk("IDAT", data) + test::png::chunk("IEND", ""));
  CHECK(image.channels == 1);
  CHECK(image.pixels == expected_pixels(samples, ""));
}

TEST_CASE(
    "png: what takes most memory a pixel, interlaced RGBA of 16 bits, has enough when large") {
  constexpr std::size_t size = 2600;  // a multiple of 8: the passes have 15 / 8 rows of it in all
  const std::string rows(size * size * 8 + size / 8 * 15, '\0');
  const Image image =
      decode(std::string(test::png::signature) + test::png::header(size, size, 16, 6, 1) +
             test::png::chunk("IDAT", test::png::compressed(rows)) + test::png::chunk("IEND", ""));
  CHECK(image.pixels.size() == size * size * 3);
}

TEST_CASE("png: from a file") {
  test::TemporaryDirectory directory;
  const Samples samples = random_samples(28, 28, 8, 0, 3);
  write_file_atomically(directory / "a.png", test::png::file(samples));
  CHECK(read_png(directory / "a.png").pixels == expected_pixels(samples, ""));
}

TEST_CASE("image: gray and colour") {
  const Image colour{1, 5, 3, {255, 255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30}};
  // Rec. 601: 76.245, 149.685, 29.07; 2.99 + 11.74 + 3.42 = 18.15.
  CHECK(fitted(colour, 1, 5, 1).pixels == std::vector<std::uint8_t>{255, 76, 150, 29, 18});
  CHECK(fitted(colour, 1, 5, 3).pixels == colour.pixels);
  const Image gray{2, 1, 1, {7, 9}};
  CHECK(fitted(gray, 2, 1, 3).pixels == std::vector<std::uint8_t>{7, 7, 7, 9, 9, 9});
}

TEST_CASE("image: sizes, by hand") {
  // Twice as wide: centres at 1/4, 3/4, 5/4, 7/4, so weights 1/4 and 3/4 inside.
  CHECK(fitted({1, 2, 1, {0, 100}}, 1, 4, 1).pixels == std::vector<std::uint8_t>{0, 25, 75, 100});
  CHECK(fitted({2, 1, 1, {0, 100}}, 4, 1, 1).pixels == std::vector<std::uint8_t>{0, 25, 75, 100});
  // Half as wide: half-width 2, so the weights of the first pixel, centre 1, are
  // 3, 3, 1 (quarters): (3 * 10 + 3 * 20 + 30) / 7 = 17.1; 230 / 7 = 32.9.
  CHECK(fitted({1, 4, 1, {10, 20, 30, 40}}, 1, 2, 1).pixels == std::vector<std::uint8_t>{17, 33});
  // Channels stay apart, along both axes at once.
  CHECK(fitted({2, 2, 3, {0, 8, 16, 0, 8, 16, 0, 8, 16, 0, 8, 16}}, 1, 1, 3).pixels ==
        std::vector<std::uint8_t>{0, 8, 16});
  // Constants stay constant at any size.
  const Image constant{9, 31, 1, std::vector<std::uint8_t>(9 * 31, 201)};
  for (Index size : {1, 2, 28, 100})
    CHECK(fitted(constant, size, 28, 1).pixels ==
          std::vector<std::uint8_t>(static_cast<std::size_t>(size * 28), 201));
  CHECK_THROWS_AS(fitted(constant, 0, 1, 1), Error);
  CHECK_THROWS_AS(fitted(constant, 1, 1, 2), Error);
  CHECK_THROWS_WITH_AS(fitted(Image{2, 2, 1, {1, 2, 3}}, 1, 1, 1),
                       "[image] not an image: got 3 bytes for 2 x 2 x 1; expected one byte for "
                       "each, positive sizes and 1 or 3 channels",
                       Error);
}

}  // namespace
}  // namespace fraqat::data
