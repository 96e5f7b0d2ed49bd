#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "core/real.hpp"

namespace fraqat::data {

/// A PNG file that has been checked: signature, order, lengths and CRCs of the
/// chunks, sizes, palette, and that the compressed data has exactly the length
/// the sizes ask for.
struct ScannedPng {
  Index width = 0, height = 0;
  Index channels = 0;  // 1 gray, 3 colour, without alpha

  /// The same image with nothing but IHDR, a palette of 256 entries if there is
  /// one, one IDAT and IEND.
  std::vector<std::byte> essence;
};

/// Errors are Error{input} and name `origin` and the offset.
ScannedPng scan_png(std::span<const std::byte> file, std::string_view origin);

}  // namespace fraqat::data
