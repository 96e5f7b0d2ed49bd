#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "data/image.hpp"

/// PNG images, for `fraqat predict`.  stb_image decodes them, but trusts files:
/// it checks no checksum and allocates what a file claims.  So every chunk is
/// checked first, the compressed data is run through zlib without being kept,
/// and stb_image gets only what is left, with a bounded memory.
namespace fraqat::data {

constexpr std::uint64_t max_png_bytes = std::uint64_t{32} << 20;
constexpr Index max_png_extent = 8192;
constexpr Index max_png_pixels = Index{1} << 24;

/// Decodes `file`; `origin` is its name in errors, which are Error{input}.  Gray
/// images have 1 channel, colour and palette images 3.  16-bit samples keep
/// their upper byte, alpha and transparent colours are dropped (not composited),
/// an index beyond the palette is black, and gamma is ignored.
Image decode_png(std::span<const std::byte> file, std::string_view origin);

Image read_png(const std::string& path);

}  // namespace fraqat::data
