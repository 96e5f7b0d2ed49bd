#pragma once

#include <cstdint>
#include <vector>

#include "core/real.hpp"

namespace fraqat::data {

/// An 8-bit image, row-major [height, width, channels]; one channel is gray,
/// three are red, green, blue.
struct Image {
  Index height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> pixels;
};

/// `image` with the geometry a network wants.  Colour to gray is the luma of
/// Rec. 601, (299 R + 587 G + 114 B) / 1000 rounded; gray to colour is three
/// times the same.  Sizes change through a triangle filter whose half-width is
/// the larger of a source and a target pixel (linear interpolation when growing,
/// an average of everything covered when shrinking; what Pillow calls bilinear),
/// at once along both axes and rounded once; the aspect ratio is not kept.
Image fitted(const Image& image, Index height, Index width, Index channels);

}  // namespace fraqat::data
