#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.hpp"

namespace fraqat::data {

/// An array of bytes as an IDX file holds it (the format of MNIST: 0, 0, type 8,
/// rank, then the extents as big-endian 32-bit numbers, then the bytes).
struct IdxArray {
  std::vector<Index> extents;
  std::vector<std::uint8_t> bytes;
  std::string sha256;  // of the unpacked file, so that a copy packed anew is equal
};

/// Reads an IDX file of bytes with `rank` dimensions, raw or packed by gzip; the
/// first bytes decide, not the name.  The file is hostile until proven otherwise:
/// every header field is compared with the file's size, and with `max_bytes` for
/// the unpacked file, before memory is taken for it; a packed file is unpacked up
/// to the declared size and not a byte further.  Errors name file and offset.
IdxArray read_idx(const std::string& path, int rank, std::uint64_t max_bytes);

/// Images [n, H, W] and labels [n] that belong together.
std::shared_ptr<const ByteImages> read_idx_images(const std::string& images_path,
                                                  const std::string& labels_path,
                                                  const std::vector<std::string>& class_names,
                                                  std::uint64_t max_bytes = std::uint64_t{1} << 30);

/// The same of arrays already read; the paths are for the error texts.
std::shared_ptr<const ByteImages> match_idx(IdxArray images, const std::string& images_path,
                                            IdxArray labels, const std::string& labels_path,
                                            const std::vector<std::string>& class_names);

}  // namespace fraqat::data
