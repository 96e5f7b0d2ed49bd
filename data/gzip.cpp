#include "data/gzip.hpp"

#define ZLIB_CONST  // input is read only
#include <zlib.h>

#include <algorithm>
#include <new>

#include "core/text.hpp"

namespace fraqat::data {

struct GzipReader::Stream : z_stream {};

bool is_gzip(std::span<const std::byte> file) {
  return file.size() >= 2 && file[0] == std::byte{0x1f} && file[1] == std::byte{0x8b};
}

GzipReader::GzipReader(const std::string& path, std::span<const std::byte> file)
    : path_(in_quotes(path)), size_(file.size()), stream_(std::make_unique<Stream>()) {
  // zlib counts its input in unsigned int.
  check_input(file.size() <= 0xffffffffu, "[gzip] ", path_, ": file too large: got ", file.size(),
              " bytes; expected at most 4294967295");
  stream_->next_in = reinterpret_cast<const Bytef*>(file.data());
  stream_->avail_in = static_cast<uInt>(file.size());
  constexpr int gzip_only = 16;
  if (inflateInit2(stream_.get(), MAX_WBITS + gzip_only) != Z_OK) throw std::bad_alloc();
}

GzipReader::~GzipReader() { inflateEnd(stream_.get()); }

std::size_t GzipReader::read(std::span<std::uint8_t> out) {
  constexpr std::size_t piece = std::size_t{1} << 30;
  std::size_t written = 0;
  while (written < out.size() && !ended_) {
    stream_->next_out = out.data() + written;
    stream_->avail_out = static_cast<uInt>(std::min(piece, out.size() - written));
    const int result = inflate(stream_.get(), Z_NO_FLUSH);
    written = static_cast<std::size_t>(stream_->next_out - out.data());
    if (result == Z_MEM_ERROR) throw std::bad_alloc();
    const std::size_t offset = size_ - stream_->avail_in;
    check_input(result != Z_BUF_ERROR, "[gzip] ", path_, ": truncated at byte ", offset, ": got ",
                stream_->total_out, " bytes of data; expected the end of the gzip stream");
    check_input(result == Z_OK || result == Z_STREAM_END, "[gzip] ", path_, ": corrupt near byte ",
                offset, ": got \"", stream_->msg ? stream_->msg : "needs a dictionary",
                "\" from zlib; expected a gzip stream");
    ended_ = result == Z_STREAM_END;
  }
  return written;
}

void GzipReader::fill(std::vector<std::uint8_t>& bytes, std::uint64_t expected) {
  constexpr std::size_t piece = std::size_t{1} << 20;
  while (bytes.size() < expected) {
    const std::size_t done = bytes.size();
    bytes.resize(std::min<std::size_t>(done + piece, expected));
    const std::size_t got = read(std::span(bytes).subspan(done));
    check_input(done + got == bytes.size(), "[gzip] ", path_, ": truncated: got ", done + got,
                " bytes of unpacked data; expected ", expected);
  }
  finish();
}

void GzipReader::finish() {
  std::uint8_t more;
  check_input(read({&more, 1}) == 0, "[gzip] ", path_, ": more data than declared near byte ",
              size_ - stream_->avail_in, ": got more than ", stream_->total_out - 1,
              " bytes; expected the end of the gzip stream");
  check_input(stream_->avail_in == 0, "[gzip] ", path_,
              ": something follows the gzip stream at byte ", size_ - stream_->avail_in, ": got ",
              stream_->avail_in, " bytes; expected the end of the file");
}

}  // namespace fraqat::data
