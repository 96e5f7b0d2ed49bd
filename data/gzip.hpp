#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace fraqat::data {

bool is_gzip(std::span<const std::byte> file);

/// Unpacks one gzip stream in memory, piece by piece, so that the reader decides
/// how much it takes.  The stream must be alone in its file.
class GzipReader {
 public:
  /// `path` is for the error texts; `file` must outlive the reader.
  GzipReader(const std::string& path, std::span<const std::byte> file);
  ~GzipReader();
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;

  /// Fills `out`; returns the bytes written, fewer only at the end of the data.
  std::size_t read(std::span<std::uint8_t> out);

  /// Appends data until there are `expected` bytes, and wants its end there.
  /// Memory is taken as data comes, not as it is promised.
  void fill(std::vector<std::uint8_t>& bytes, std::uint64_t expected);

  /// Checks that the data ends here, the checksum and length at the stream's end
  /// are right, and nothing follows.
  void finish();

 private:
  struct Stream;

  std::string path_;
  std::size_t size_;
  std::unique_ptr<Stream> stream_;
  bool ended_ = false;
};

}  // namespace fraqat::data
