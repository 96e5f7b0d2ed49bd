#pragma once

#include <memory>

#include "data/dataset.hpp"

namespace fraqat::data {

/// Images [28, 28, 1] of a bar in one of ten directions, at a random place, of
/// random length and brightness, under noise.  Sample i of `part` is the same
/// everywhere and always; different parts share no sample.  A small network
/// learns the set in seconds: tests never download.
std::shared_ptr<const ByteImages> synthetic_bars(std::uint32_t part, Index count);

}  // namespace fraqat::data
