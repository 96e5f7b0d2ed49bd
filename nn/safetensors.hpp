#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/shape.hpp"

/// The safetensors format: eight bytes of header length (little endian), a JSON
/// header that names tensors and where their bytes are, then those bytes without
/// a hole.  Files are hostile: everything is checked against the file's size
/// before anything is allocated, and what the format leaves open is refused
/// (duplicate keys, unknown fields, overlaps, trailing bytes, empty tensors).
namespace fraqat::inline FRAQAT_PRECISION::nn {

enum class DType { f32, f64, u8, i8, i32, i64 };

/// "F32", and the size of one element.
std::string_view dtype_name(DType dtype);
Index dtype_bytes(DType dtype);

/// A file in memory.
struct SafeTensors {
  struct Entry {
    std::string name;
    DType dtype = DType::f32;
    Shape shape;
    std::vector<std::byte> bytes;  // row-major, little endian
  };

  std::map<std::string, std::string> metadata;
  std::vector<Entry> entries;  // in the order of their bytes

  /// Whether the file carries its own SHA-256, computed with the digits as
  /// zeros, under the metadata key "fraqat.sha256" (not shown in `metadata`, no
  /// key of which may end so).
  bool sealed = false;

  /// The entry called `name`, or nullptr.
  const Entry* find(std::string_view name) const;
};

/// Limits of what is accepted.
constexpr std::size_t max_header_bytes = std::size_t{16} << 20;
constexpr std::size_t max_entries = std::size_t{1} << 16;
constexpr std::size_t max_name_bytes = 1024;

/// Reads `file`; `origin` is its name in errors, which are Error{input}.  A seal
/// that is there is verified.
SafeTensors parse_safetensors(std::span<const std::byte> file, std::string_view origin);

/// The bytes of the file: the same for the same content, entries in the order
/// given, the header padded with spaces so that the data begins at a multiple
/// of 64.
std::vector<std::byte> serialize(const SafeTensors& tensors);

/// The same from and to the file `path`, written atomically.
SafeTensors read_safetensors(const std::string& path);
void write_safetensors(const std::string& path, const SafeTensors& tensors);

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
