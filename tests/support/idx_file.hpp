#pragma once

#include <zlib.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "core/file.hpp"

/// Makes IDX and gzip files, good and bad, from scratch.
namespace fraqat::test {

/// Magic, extents, then `payload`.
inline std::string idx_file(std::initializer_list<std::uint32_t> extents,
                            const std::string& payload) {
  std::string file{'\0', '\0', '\x08', static_cast<char>(extents.size())};
  for (const std::uint32_t extent : extents)
    for (const int shift : {24, 16, 8, 0}) file += static_cast<char>(extent >> shift & 0xff);
  return file + payload;
}

/// `data` as one gzip member; `extra` becomes its FEXTRA field.
inline std::string gzip_file(const std::string& data, const std::string& extra = {}) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  std::string field = extra;
  gz_header header{};
  header.extra = extra.empty() ? nullptr : reinterpret_cast<Bytef*>(field.data());
  header.extra_len = static_cast<uInt>(field.size());
  header.hcrc = extra.empty() ? 0 : 1;
  deflateSetHeader(&stream, &header);
  std::string input = data, packed(deflateBound(&stream, data.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

}  // namespace fraqat::test
