#include "data/png.hpp"

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "data/png_scan.hpp"

namespace fraqat::data {
namespace {

/// What stb_image may still allocate on this thread.
thread_local std::size_t budget = 0;

/// Precedes every block, and keeps what follows aligned.
struct alignas(std::max_align_t) BlockHeader {
  std::size_t bytes;
};

void release_block(void* block) {
  if (!block) return;
  auto* header = static_cast<BlockHeader*>(block) - 1;
  budget += header->bytes;
  std::free(header);
}

void* resize_block(void* block, std::size_t bytes) {
  auto* old = block ? static_cast<BlockHeader*>(block) - 1 : nullptr;
  const std::size_t old_bytes = old ? old->bytes : 0;
  if (bytes > budget + old_bytes) return nullptr;
  auto* header = static_cast<BlockHeader*>(std::realloc(old, sizeof(BlockHeader) + bytes));
  if (!header) return nullptr;
  budget = budget + old_bytes - bytes;
  header->bytes = bytes;
  return header + 1;
}

void* allocate_block(std::size_t bytes) { return resize_block(nullptr, bytes); }

}  // namespace
}  // namespace fraqat::data

// stb_image, its PNG part alone, private to this file.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_NO_GIF
#define STBI_MAX_DIMENSIONS 8192
#define STBI_MALLOC(bytes) fraqat::data::allocate_block(bytes)
#define STBI_REALLOC(block, bytes) fraqat::data::resize_block(block, bytes)
#define STBI_FREE(block) fraqat::data::release_block(block)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include <stb_image.h>
#pragma GCC diagnostic pop

namespace fraqat::data {
namespace {

constexpr std::size_t spare_bytes = std::size_t{64} << 20;

/// What stb_image needs at most, for interlaced RGBA of 16 bits: a buffer of 8 that doubles, since
/// seven passes take a little more than it expects, the result, and the last pass, half of it.
constexpr std::size_t bytes_per_pixel = 16 + 8 + 4;

void check_decoded(bool condition, std::string_view origin) {
  check_input(condition, "[png] ", in_quotes(origin), ": image data in IDAT does not decode: got ",
              stbi_failure_reason() ? stbi_failure_reason() : "nothing", "; expected a PNG image");
}

}  // namespace

Image decode_png(std::span<const std::byte> file, std::string_view origin) {
  const ScannedPng png = scan_png(file, origin);
  const auto* data = reinterpret_cast<const stbi_uc*>(png.essence.data());
  const int bytes = static_cast<int>(png.essence.size());
  const auto pixels = static_cast<std::size_t>(png.width * png.height);

  int width = 0, height = 0, in_file = 0;
  budget = spare_bytes + bytes_per_pixel * pixels;
  check_decoded(stbi_info_from_memory(data, bytes, &width, &height, &in_file) == 1, origin);
  const std::unique_ptr<stbi_uc, void (*)(void*)> decoded(
      stbi_load_from_memory(data, bytes, &width, &height, &in_file, static_cast<int>(png.channels)),
      stbi_image_free);
  check_decoded(decoded && width == png.width && height == png.height, origin);
  return {png.height, png.width, png.channels,
          std::vector<std::uint8_t>(
              decoded.get(), decoded.get() + pixels * static_cast<std::size_t>(png.channels))};
}

Image read_png(const std::string& path) { return decode_png(read_file(path, max_png_bytes), path); }

}  // namespace fraqat::data
