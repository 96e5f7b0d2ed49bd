#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "nn/safetensors.hpp"

namespace fraqat::inline FRAQAT_PRECISION::nn {

/// The file begins with the header's length in so many bytes.
inline constexpr std::size_t length_bytes = sizeof(std::uint64_t);

/// What the JSON header says, each tensor checked by itself: known dtype, shape
/// of at most five positive extents, begin <= end, and shape x dtype = length.
struct SafeTensorsHeader {
  struct Item {
    std::string name;
    DType dtype = DType::f32;
    Shape shape;
    std::uint64_t begin = 0, end = 0;
  };

  std::map<std::string, std::string> metadata;
  std::vector<Item> items;  // in the order of the header
};

SafeTensorsHeader parse_safetensors_header(std::string_view json, std::string_view origin);

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
