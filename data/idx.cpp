#include "data/idx.hpp"

#include <algorithm>
#include <array>

#include "core/file.hpp"
#include "core/text.hpp"
#include "data/gzip.hpp"

namespace fraqat::data {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t magic_bytes = 4;

/// How an error begins.
std::string blame_idx(const std::string& path) { return "[idx] " + in_quotes(path) + ": "; }

struct Header {
  std::vector<Index> extents;
  std::uint64_t header_bytes = 0, payload_bytes = 0;
};

void check_magic(const std::string& who, const Bytes& start, int rank) {
  check_input(start.size() >= magic_bytes, who, "too short: got ", start.size(),
              " bytes; expected at least ", magic_bytes);
  check_input(start[0] == 0 && start[1] == 0, who, "no IDX file: got ", int{start[0]}, ", ",
              int{start[1]}, " at byte 0; expected 0, 0");
  check_input(start[2] == 8, who, "unsupported type at byte 2: got ", int{start[2]},
              "; expected 8 (unsigned bytes)");
  check_input(
      int{start[3]} == rank, who, "wrong number of dimensions at byte 3: got ", int{start[3]},
      "; expected ", rank,
      rank == 3 ? " (images); is it a file of labels?" : " (labels); is it a file of images?");
}

/// `start` is as much of the header as there is.
Header read_header(const std::string& who, const Bytes& start, int rank, std::uint64_t max_bytes) {
  check_magic(who, start, rank);
  Header header;
  header.header_bytes = magic_bytes + 4 * static_cast<std::size_t>(rank);
  check_input(start.size() >= header.header_bytes, who, "truncated in the header: got ",
              start.size(), " bytes; expected ", header.header_bytes);
  header.payload_bytes = 1;
  for (std::size_t at = magic_bytes; at < header.header_bytes; at += 4) {
    const std::uint32_t extent = std::uint32_t{start[at]} << 24 |
                                 std::uint32_t{start[at + 1]} << 16 |
                                 std::uint32_t{start[at + 2]} << 8 | std::uint32_t{start[at + 3]};
    check_input(extent > 0, who, "empty dimension at byte ", at, ": got 0; expected 1 or more");
    check_input(extent <= max_bytes / header.payload_bytes, who, "too large: got the extent ",
                extent, " at byte ", at, " after ", header.payload_bytes,
                " so far; expected a product of at most ", max_bytes, " bytes");
    header.payload_bytes *= extent;
    header.extents.push_back(Index{extent});
  }
  return header;
}

Bytes unpack_raw(std::span<const std::byte> file, const std::string& who, const Header& header) {
  const std::uint64_t expected = header.header_bytes + header.payload_bytes;
  check_input(file.size() == expected, who, file.size() < expected ? "truncated" : "trailing bytes",
              ": got ", file.size(), " bytes; expected ", expected, " by the header");
  const auto* first = reinterpret_cast<const std::uint8_t*>(file.data());
  return {first, first + file.size()};
}

/// The whole unpacked file: `start`, then what `gzip` still gives.
Bytes unpack_gzip(GzipReader& gzip, std::uint64_t packed_bytes, const std::string& who,
                  const Bytes& start, const Header& header) {
  const std::uint64_t expected = header.header_bytes + header.payload_bytes;
  constexpr std::uint64_t highest_ratio = 1032;  // of deflate
  check_input(expected / highest_ratio <= packed_bytes, who, "the header lies: got ", expected,
              " bytes declared; expected at most ", packed_bytes * highest_ratio, " from ",
              packed_bytes, " bytes of gzip");
  Bytes bytes = start;
  gzip.fill(bytes, expected);
  return bytes;
}

}  // namespace

IdxArray read_idx(const std::string& path, int rank, std::uint64_t max_bytes) {
  // gzip makes a file that it cannot pack larger by less than a thousandth.
  const std::vector<std::byte> file = read_file(path, max_bytes + max_bytes / 1000 + (1 << 16));
  const std::size_t start_bytes = magic_bytes + 4 * static_cast<std::size_t>(rank);
  const std::string who = blame_idx(path);
  Bytes start(start_bytes), bytes;
  Header header;
  if (is_gzip(file)) {
    GzipReader gzip(path, file);
    start.resize(gzip.read(start));
    header = read_header(who, start, rank, max_bytes);
    bytes = unpack_gzip(gzip, file.size(), who, start, header);
  } else {
    start.resize(std::min(start_bytes, file.size()));
    std::transform(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(start.size()),
                   start.begin(), [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
    header = read_header(who, start, rank, max_bytes);
    bytes = unpack_raw(file, who, header);
  }
  std::string hash = sha256(std::as_bytes(std::span(bytes)));
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(header.header_bytes));
  return {std::move(header.extents), std::move(bytes), std::move(hash)};
}

std::shared_ptr<const ByteImages> match_idx(IdxArray images, const std::string& images_path,
                                            IdxArray labels, const std::string& labels_path,
                                            const std::vector<std::string>& class_names) {
  const std::string who = blame_idx(labels_path);
  check_input(images.extents[0] == labels.extents[0], who, "wrong number of labels at byte 4: got ",
              labels.extents[0], "; expected ", images.extents[0], ", one for each image of ",
              in_quotes(images_path));
  constexpr std::size_t header_bytes = 8;
  for (std::size_t i = 0; i < labels.bytes.size(); ++i)
    check_input(labels.bytes[i] < class_names.size(), who, "bad label at byte ", header_bytes + i,
                ": got ", int{labels.bytes[i]}, "; expected a class below ", class_names.size());
  const std::string both = images.sha256 + labels.sha256;
  return std::make_shared<ByteImages>(Shape{images.extents[1], images.extents[2], 1},
                                      std::move(images.bytes), std::move(labels.bytes), class_names,
                                      sha256(std::as_bytes(std::span(both))));
}

std::shared_ptr<const ByteImages> read_idx_images(const std::string& images_path,
                                                  const std::string& labels_path,
                                                  const std::vector<std::string>& class_names,
                                                  std::uint64_t max_bytes) {
  IdxArray labels = read_idx(labels_path, 1, max_bytes);
  return match_idx(read_idx(images_path, 3, max_bytes), images_path, std::move(labels), labels_path,
                   class_names);
}

}  // namespace fraqat::data
