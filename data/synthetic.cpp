#include "data/synthetic.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/file.hpp"
#include "core/random.hpp"

namespace fraqat::data {
namespace {

constexpr Index side = 28;
constexpr int directions = 10;

struct Bar {
  double row, column;          // centre
  double down, right;          // unit vector along the bar
  double half_length, bright;  // in pixels; 0 to 255
};

Bar draw_bar(const Philox& random, Counter at, int direction) {
  const Philox::Block bits = random(at.words());
  const double angle = std::numbers::pi * direction / directions;
  const double middle = (side - 1) / 2.0;
  return {middle + 8 * (double{uniform(bits[0])} - 0.5),
          middle + 8 * (double{uniform(bits[1])} - 0.5),
          std::sin(angle),
          std::cos(angle),
          7 + 4 * double{uniform(bits[2])},
          120 + 135 * double{uniform(bits[3])}};
}

/// The part of a pixel, 0 to 1, that the bar covers: soft edges, 3 pixels wide.
double coverage(const Bar& bar, double row, double column) {
  const double y = row - bar.row, x = column - bar.column;
  const double along = std::abs(y * bar.down + x * bar.right) - bar.half_length;
  const double across = std::abs(y * bar.right - x * bar.down) - 1.5;
  return std::clamp(0.5 - std::max(along, across), 0.0, 1.0);
}

void draw(std::span<std::uint8_t> pixels, const Philox& random, Counter at, int direction) {
  const Bar bar = draw_bar(random, at, direction);
  Philox::Block noise{};
  for (Index p = 0; p < side * side; ++p) {
    if (p % 4 == 0) {
      ++at.block;
      noise = random(at.words());
    }
    const double dirt = 60 * double{uniform(noise[static_cast<std::size_t>(p % 4)])};
    const double light =
        bar.bright * coverage(bar, static_cast<double>(p / side), static_cast<double>(p % side));
    pixels[static_cast<std::size_t>(p)] =
        static_cast<std::uint8_t>(std::clamp(std::lround(light + dirt), 0L, 255L));
  }
}

}  // namespace

std::shared_ptr<const ByteImages> synthetic_bars(std::uint32_t part, Index count) {
  check(count > 0, "[synthetic] bad number of samples: got ", count, "; expected 1 or more");
  const Philox random(0, Stream::synthetic);
  constexpr auto length = static_cast<std::size_t>(side * side);
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(count)), pixels(labels.size() * length);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    labels[i] = static_cast<std::uint8_t>(i % directions);
    draw(std::span(pixels).subspan(i * length, length), random,
         {part, 0, static_cast<std::uint32_t>(i), 0}, labels[i]);
  }
  std::vector<std::string> names;
  for (int k = 0; k < directions; ++k)
    names.push_back("bar at " + std::to_string(180 / directions * k) + " degrees");
  std::string hash = sha256(std::as_bytes(std::span(pixels)));
  return std::make_shared<ByteImages>(Shape{side, side, 1}, std::move(pixels), std::move(labels),
                                      std::move(names), std::move(hash));
}

}  // namespace fraqat::data
