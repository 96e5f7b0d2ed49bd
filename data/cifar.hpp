#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/real.hpp"

namespace fraqat::data {

/// Images with labels as a file of CIFAR-10, binary version, holds them.
struct CifarRecords {
  std::vector<std::uint8_t> pixels;  // [n, 32, 32, 3]
  std::vector<std::uint8_t> labels;  // [n]
  std::string sha256;                // of the unpacked file, so that a copy packed anew is equal
};

/// Reads a file of `records` times 3073 bytes: a label below `classes`, then
/// 32 x 32 of red, as many of green, as many of blue.  It is raw or packed by
/// gzip; the first bytes decide, not the name.  The format has no header, so the
/// length is all there is to check before memory is taken, and the labels before
/// the images are.  Errors name file and offset.
CifarRecords read_cifar(const std::string& path, Index records, Index classes = 10);

}  // namespace fraqat::data
