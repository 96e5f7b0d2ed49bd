#include "data/png_scan.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "data/png.hpp"

namespace fraqat::data {
namespace {

using ByteView = std::span<const std::byte>;

constexpr std::string_view signature = "\x89PNG\r\n\x1a\n";
constexpr std::size_t chunk_frame = 12;  // length, type, CRC
constexpr std::size_t palette_bytes = 768;

std::uint32_t big_endian(ByteView bytes) {
  std::uint32_t value = 0;
  for (std::byte b : bytes.first(4)) value = value << 8 | std::to_integer<std::uint32_t>(b);
  return value;
}

int byte_at(ByteView bytes, std::size_t i) { return std::to_integer<int>(bytes[i]); }

void append(std::vector<std::byte>& out, ByteView bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

/// A chunk of the essence; its reader checks no CRC, so it is left zero.
void append_chunk(std::vector<std::byte>& out, std::string_view type, ByteView data) {
  const auto length = static_cast<std::uint32_t>(data.size());
  for (int shift : {24, 16, 8, 0}) out.push_back(static_cast<std::byte>(length >> shift & 255));
  append(out, std::as_bytes(std::span(type)));
  append(out, data);
  out.insert(out.end(), 4, std::byte{0});
}

struct Chunk {
  std::size_t offset = 0;
  std::string_view type;
  ByteView data;
};

class Scanner {
 public:
  Scanner(ByteView file, std::string_view origin) : file_(file), origin_(origin) {}

  ScannedPng scan() {
    check_input(file_.size() <= max_png_bytes, who(), "file is too large: got ", file_.size(),
                " bytes; expected at most ", max_png_bytes);
    const ByteView head = file_.first(std::min(file_.size(), signature.size()));
    check_input(std::ranges::equal(head, std::as_bytes(std::span(signature))), who(),
                "no PNG signature at offset 0: got ", in_quotes(text(head)),
                "; expected a PNG image");
    Chunk chunk = next(signature.size());
    read_header(chunk);
    while (chunk.type != "IEND") {
      chunk = next(chunk.offset + chunk_frame + chunk.data.size());
      accept(chunk);
    }
    check_inflated_size();
    append(png_.essence, std::as_bytes(std::span(signature)));
    append_chunk(png_.essence, "IHDR", header_);
    if (!palette_.empty()) append_chunk(png_.essence, "PLTE", palette_);
    append_chunk(png_.essence, "IDAT", image_data_);
    append_chunk(png_.essence, "IEND", {});
    return std::move(png_);
  }

 private:
  std::string who() const { return "[png] " + in_quotes(origin_) + ": "; }

  static std::string_view text(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  /// The chunk at `offset`, whole and with the right CRC.
  Chunk next(std::size_t offset) const {
    const std::size_t rest = file_.size() - offset;
    check_input(rest >= chunk_frame, who(), "file ends before IEND: got ", rest,
                " bytes at offset ", offset, "; expected a chunk of at least ", chunk_frame);
    const std::size_t length = big_endian(file_.subspan(offset));
    check_input(length <= rest - chunk_frame, who(), "chunk at offset ", offset,
                " is beyond the file: got a length of ", length, "; expected at most ",
                rest - chunk_frame);
    const ByteView covered = file_.subspan(offset + 4, 4 + length);
    const std::uint32_t stored = big_endian(file_.subspan(offset + 8 + length));
    check_input(crc32(covered) == stored, who(), "wrong CRC of chunk ",
                in_quotes(text(covered.first(4))), " at offset ", offset, ": got ", crc32(covered),
                " for its bytes; expected ", stored);
    return {offset, text(covered.first(4)), covered.subspan(4)};
  }

  template <class Got>
  void require(bool condition, const Chunk& chunk, std::string_view what, const Got& got,
               std::string_view expected) const {
    check_input(condition, who(), what, " in chunk ", in_quotes(chunk.type), " at offset ",
                chunk.offset, ": got ", got, "; expected ", expected);
  }

  void read_header(const Chunk& chunk) {
    require(chunk.type == "IHDR" && chunk.data.size() == 13, chunk, "no image header",
            chunk.data.size(), "IHDR of 13 bytes as the first chunk");
    header_ = chunk.data;
    const Index width = big_endian(header_), height = big_endian(header_.subspan(4));
    for (Index extent : {width, height})
      require(extent >= 1 && extent <= max_png_extent, chunk, "bad image size", extent,
              "1 to 8192 pixels");
    require(width * height <= max_png_pixels, chunk, "image is too large", width * height,
            "at most 2^24 pixels");
    png_.width = width;
    png_.height = height;
    read_format(chunk);
  }

  void read_format(const Chunk& chunk) {
    const int depth = byte_at(header_, 8), colour = byte_at(header_, 9);
    const bool known = colour == 0 || colour == 2 || colour == 3 || colour == 4 || colour == 6;
    require(known, chunk, "unknown colour type", colour, "0, 2, 3, 4 or 6");
    const bool full = depth == 8 || (depth == 16 && colour != 3);
    const bool small = (depth == 1 || depth == 2 || depth == 4) && (colour == 0 || colour == 3);
    require(full || small, chunk, "bad bit depth", depth, "one that the colour type allows");
    require(byte_at(header_, 10) == 0 && byte_at(header_, 11) == 0, chunk,
            "unknown compression or filter method",
            byte_at(header_, 10) ? byte_at(header_, 10) : byte_at(header_, 11), "0");
    require(byte_at(header_, 12) <= 1, chunk, "unknown interlace method", byte_at(header_, 12),
            "0 or 1");
    png_.channels = colour == 0 || colour == 4 ? 1 : 3;
    const int samples = colour == 2 ? 3 : colour == 4 ? 2 : colour == 6 ? 4 : 1;
    bits_per_pixel_ = samples * depth;
  }

  void accept(const Chunk& chunk) {
    if (chunk.type == "IDAT") {
      require(!has_data_ || last_ == "IDAT", chunk, "interrupted image data",
              in_quotes(last_) + " before it", "one run of IDAT chunks");
      require(byte_at(header_, 9) != 3 || !palette_.empty(), chunk, "missing palette", "none",
              "PLTE before IDAT");
      append(image_data_, chunk.data);
      has_data_ = true;
    } else if (chunk.type == "PLTE") {
      read_palette(chunk);
    } else if (chunk.type == "IEND") {
      require(chunk.data.empty(), chunk, "data in the last chunk", chunk.data.size(), "none");
      require(chunk.offset + chunk_frame == file_.size(), chunk, "bytes behind the last chunk",
              file_.size() - chunk.offset - chunk_frame, "the end of the file");
    } else {
      // A capital first letter: nobody may show the image without knowing this.
      require((byte_at(std::as_bytes(std::span(chunk.type)), 0) & 0x20) != 0, chunk,
              "unknown critical chunk", in_quotes(chunk.type), "PLTE, IDAT or IEND");
    }
    last_ = chunk.type;
  }

  void read_palette(const Chunk& chunk) {
    const std::size_t bytes = chunk.data.size();
    require(palette_.empty() && !has_data_ && png_.channels == 3, chunk, "palette out of place",
            bytes, "at most one, before IDAT, in a colour image");
    require(bytes >= 3 && bytes <= palette_bytes && bytes % 3 == 0, chunk, "bad palette length",
            bytes, "a multiple of 3 up to 768");
    append(palette_, chunk.data);
    palette_.resize(palette_bytes);
  }

  std::uint64_t pass_bytes(Index width, Index height) const {
    if (width <= 0 || height <= 0) return 0;
    return static_cast<std::uint64_t>(height * (1 + (width * bits_per_pixel_ + 7) / 8));
  }

  /// Bytes of the filtered rows, over the seven passes of an interlaced image.
  std::uint64_t filtered_bytes() const {
    if (byte_at(header_, 12) == 0) return pass_bytes(png_.width, png_.height);
    constexpr std::array<std::array<Index, 4>, 7> passes = {{{0, 0, 8, 8},
                                                             {4, 0, 8, 8},
                                                             {0, 4, 4, 8},
                                                             {2, 0, 4, 4},
                                                             {0, 2, 2, 4},
                                                             {1, 0, 2, 2},
                                                             {0, 1, 1, 2}}};
    std::uint64_t total = 0;
    for (const auto& [x, y, dx, dy] : passes)
      total += pass_bytes((png_.width - x + dx - 1) / dx, (png_.height - y + dy - 1) / dy);
    return total;
  }

  /// Inflates without keeping anything, so that a bomb goes off harmlessly.
  void check_inflated_size() const {
    const std::uint64_t expected = filtered_bytes();
    z_stream stream{};
    const int begun = inflateInit(&stream);
    check(begun == Z_OK, "[png] zlib does not start: got status ", begun, "; expected ", Z_OK);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(image_data_.data()));
    stream.avail_in = static_cast<uInt>(image_data_.size());
    std::array<Bytef, 1 << 14> block{};
    std::uint64_t inflated = 0;
    int status = Z_OK;
    while (status == Z_OK && inflated <= expected) {
      stream.next_out = block.data();
      stream.avail_out = static_cast<uInt>(block.size());
      status = inflate(&stream, Z_NO_FLUSH);
      inflated += block.size() - stream.avail_out;
    }
    const std::size_t left = stream.avail_in;
    inflateEnd(&stream);
    check_input(inflated <= expected, who(), "image data is too long: got more than ", expected,
                " bytes from IDAT; expected that many for the size of the image");
    check_input(status == Z_STREAM_END && inflated == expected && left == 0, who(),
                "image data is damaged: got ", inflated, " bytes from IDAT and ", left,
                " left over; expected ", expected, " and 0");
  }

  ByteView file_;
  std::string_view origin_;
  ScannedPng png_;
  ByteView header_;
  Index bits_per_pixel_ = 0;
  bool has_data_ = false;
  std::vector<std::byte> palette_, image_data_;
  std::string_view last_;
};

}  // namespace

ScannedPng scan_png(std::span<const std::byte> file, std::string_view origin) {
  return Scanner(file, origin).scan();
}

}  // namespace fraqat::data
