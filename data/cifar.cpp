#include "data/cifar.hpp"

#include <algorithm>

#include "core/file.hpp"
#include "core/text.hpp"
#include "data/gzip.hpp"

namespace fraqat::data {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t plane = 32 * 32, channels = 3, record = 1 + channels * plane;

/// How an error begins.
std::string blame_cifar(const std::string& path) { return "[cifar] " + in_quotes(path) + ": "; }

/// The unpacked file, which must have `expected` bytes.
Bytes unpacked(const std::string& path, std::uint64_t expected) {
  // gzip makes a file that it cannot pack larger by less than a thousandth.
  const std::vector<std::byte> file = read_file(path, expected + expected / 1000 + (1 << 16));
  Bytes bytes;
  if (is_gzip(file)) {  // a raw file begins with a label
    GzipReader(path, file).fill(bytes, expected);
    return bytes;
  }
  check_input(file.size() == expected, blame_cifar(path),
              file.size() < expected ? "truncated" : "trailing bytes", ": got ", file.size(),
              " bytes, which end in record ", file.size() / record, "; expected ", expected, ", ",
              expected / record, " records of ", record);
  const auto* first = reinterpret_cast<const std::uint8_t*>(file.data());
  bytes.assign(first, first + file.size());
  return bytes;
}

}  // namespace

CifarRecords read_cifar(const std::string& path, Index records, Index classes) {
  check(records > 0, "[cifar] bad number of records: got ", records, "; expected 1 or more");
  const auto count = static_cast<std::size_t>(records);
  const Bytes bytes = unpacked(path, count * record);
  CifarRecords found{{}, Bytes(count), sha256(std::as_bytes(std::span(bytes)))};
  for (std::size_t n = 0; n < count; ++n) {
    found.labels[n] = bytes[n * record];
    check_input(found.labels[n] < classes, blame_cifar(path), "bad label at byte ", n * record,
                ": got ", int{found.labels[n]}, "; expected a class below ", classes);
  }
  found.pixels.resize(count * plane * channels);
  std::uint8_t* pixel = found.pixels.data();
  for (std::size_t n = 0; n < count; ++n) {
    const std::uint8_t* red = bytes.data() + n * record + 1;
    for (std::size_t p = 0; p < plane; ++p)
      for (std::size_t c = 0; c < channels; ++c) *pixel++ = red[c * plane + p];
  }
  return found;
}

}  // namespace fraqat::data
