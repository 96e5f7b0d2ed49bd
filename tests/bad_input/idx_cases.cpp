#include "core/random.hpp"
#include "data/idx.hpp"
#include "tests/bad_input/bad_input.hpp"
#include "tests/support/idx_file.hpp"

namespace fraqat::test {
namespace idx_files {

constexpr std::uint64_t room = std::uint64_t{1} << 30;

struct Row {
  std::string name, file, expected;
};

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

/// Two images of 2 x 3 pixels, and the header alone of what other sizes claim.
std::string good() { return idx_file({2, 2, 3}, "abcdefABCDEF"); }

std::string claim(std::uint32_t n, std::uint32_t h, std::uint32_t w) {
  return idx_file({n, h, w}, std::string(12, 'x'));
}

std::string with_byte(std::string file, std::size_t position, int value) {
  file[position < file.size() ? position : 0] = static_cast<char>(value);
  return file;
}

std::vector<Row> header_rows() {
  const std::string file = good();
  return {
      {"idx-empty", "", "too short: got 0 bytes"},
      {"idx-one-byte", file.substr(0, 1), "too short: got 1 bytes"},
      {"idx-three-bytes", file.substr(0, 3), "too short: got 3 bytes"},
      {"idx-magic-alone", file.substr(0, 4), "truncated in the header: got 4 bytes; expected 16"},
      {"idx-cut-in-header", file.substr(0, 15), "truncated in the header: got 15 bytes"},
      {"idx-magic-byte-0", with_byte(file, 0, 1), "got 1, 0 at byte 0"},
      {"idx-magic-byte-1", with_byte(file, 1, 255), "got 0, 255 at byte 0"},
      {"idx-is-png", "\x89PNG\r\n\x1a\n" + std::string(40, '\0'), "got 137, 80 at byte 0"},
      {"idx-is-zlib", bytes({0x78, 0x9c, 3, 0, 0, 0, 0, 1}), "got 120, 156 at byte 0"},
      {"idx-type-signed", with_byte(file, 2, 9), "unsupported type at byte 2: got 9"},
      {"idx-type-float", with_byte(file, 2, 13), "unsupported type at byte 2: got 13"},
      {"idx-type-0", with_byte(file, 2, 0), "unsupported type at byte 2: got 0"},
      {"idx-no-dimension", with_byte(file, 3, 0), "dimensions at byte 3: got 0; expected 3"},
      {"idx-255-dimensions", with_byte(file, 3, 255), "dimensions at byte 3: got 255"},
      {"idx-labels-as-images", idx_file({12}, "abcdefABCDEF"), "is it a file of labels?"},
      {"idx-no-image", claim(0, 2, 3), "empty dimension at byte 4"},
      {"idx-no-row", claim(2, 0, 3), "empty dimension at byte 8"},
      {"idx-no-column", claim(2, 2, 0), "empty dimension at byte 12"},
      {"idx-product-2-32", claim(65536, 65536, 1), "too large: got the extent 65536 at byte 8"},
      {"idx-product-2-64", claim(1u << 31, 1u << 31, 4), "too large: got the extent 2147483648 at"},
      {"idx-product-wraps-to-12", claim(0x80000003, 0x80000004, 2), "too large: got the extent"},
      {"idx-all-ones", claim(~0u, ~0u, ~0u), "too large: got the extent 4294967295 at byte 4"},
      {"idx-claims-a-gigabyte", claim(1u << 20, 32, 32), "got 28 bytes; expected 1073741840"},
      {"idx-claims-one-more", claim(3, 2, 3), "truncated: got 28 bytes; expected 34"},
      {"idx-cut-at-the-end", file.substr(0, 27), "truncated: got 27 bytes; expected 28"},
      {"idx-trailing-byte", file + "x", "trailing bytes: got 29 bytes; expected 28"},
      {"idx-little-endian",
       bytes({0, 0, 8, 3, 2, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0}) + "abcdefABCDEF",
       "too large: got the extent 33554432 at byte 8"},
  };
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

/// Bytes that cannot be packed.
std::string noise(std::size_t size) {
  const Philox random(1, Stream::synthetic);
  std::string text;
  for (std::uint32_t i = 0; i < size; ++i)
    text += static_cast<char>(random({0, 0, 0, i})[0] & 0xff);
  return text;
}

/// A gzip header with `flags` and what they announce, before good data.
std::string with_flags(int flags, const std::string& fields) {
  return bytes({0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3}) + fields + gzip_file(good()).substr(10);
}

std::vector<Row> gzip_rows() {
  const std::string file = gzip_file(good());
  const std::size_t size = file.size();
  return {
      {"gz-magic-alone", file.substr(0, 2), "truncated at byte 2"},
      {"gz-cut-in-header", file.substr(0, 9), "truncated at byte 9"},
      {"gz-header-alone", file.substr(0, 10), "truncated at byte 10"},
      {"gz-cut-in-data", file.substr(0, size - 15), "truncated at byte"},
      {"gz-cut-in-crc", file.substr(0, size - 6), "truncated at byte"},
      {"gz-cut-in-length", file.substr(0, size - 1), "truncated at byte"},
      {"gz-wrong-crc", with_byte(file, size - 8, file[size - 8] ^ 1), "incorrect data check"},
      {"gz-wrong-length", with_byte(file, size - 4, 99), "incorrect length check"},
      {"gz-wrong-method", with_byte(file, 2, 7), "unknown compression method"},
      {"gz-reserved-flags", with_byte(file, 3, 0xe0), "unknown header flags set"},
      {"gz-extra-overruns", with_flags(4, bytes({0xff, 0xff})), "truncated at byte"},
      {"gz-name-without-end", with_flags(8, std::string(5000, 'n')).substr(0, 5000),
       "truncated at byte"},
      {"gz-wrong-header-crc", with_flags(2, bytes({1, 2})), "header crc mismatch"},
      {"gz-bad-block", with_byte(file, 10, 0x07), "invalid block type"},
      {"gz-noise", file.substr(0, 10) + repeated("\xa5\x3c\x99", 50), "corrupt near byte"},
      {"gz-empty-stream", gzip_file(""), "too short: got 0 bytes"},
      {"gz-of-text", gzip_file("not an IDX file, but some text"), "no IDX file: got 110, 111"},
      {"gz-in-gz", gzip_file(file), "no IDX file: got 31, 139"},
      {"gz-two-members", file + file, "something follows the gzip stream"},
      {"gz-split-in-two-members", gzip_file(good().substr(0, 20)) + gzip_file(good().substr(20)),
       "truncated: got 20 bytes of unpacked"},
      {"gz-empty-members", repeated(gzip_file(""), 50000), "too short: got 0 bytes"},
      {"gz-good-then-empty-members", file + repeated(gzip_file(""), 50000),
       "something follows the gzip stream"},
      {"gz-padded-with-zeros", file + std::string(512, '\0'), "got 512 bytes; expected the end"},
      {"gz-trailing-byte", gzip_file(good() + "x"), "more data than declared"},
      {"gz-one-byte-short", gzip_file(good().substr(0, 27)),
       "truncated: got 27 bytes of unpacked data; expected 28"},
      {"gz-bomb", gzip_file(good() + std::string(std::size_t{100} << 20, '\0')),
       "more data than declared"},
      {"gz-bomb-in-header-field", gzip_file(claim(1u << 20, 32, 32).substr(0, 16)),
       "the header lies: got 1073741840 bytes declared"},
      {"gz-claims-more-than-it-holds",
       gzip_file(claim(300, 1024, 1024).substr(0, 16) + std::string(std::size_t{2} << 20, '\0')),
       "the header lies"},
      {"gz-claims-more-within-the-ratio",
       gzip_file(claim(200, 1024, 1024).substr(0, 16) + noise(std::size_t{300} << 10)),
       "truncated: got 307216 bytes of unpacked data; expected 209715216"},
      {"gz-product-2-64", gzip_file(claim(~0u, ~0u, ~0u)), "too large: got the extent 4294967295"},
  };
}

/// Labels for the three images of one pixel and the two classes of load_labels.
std::vector<Row> label_rows() {
  const std::string file = idx_file({3}, bytes({0, 1, 1}));
  return {
      {"label-too-large", idx_file({3}, bytes({0, 1, 2})), "bad label at byte 10: got 2"},
      {"label-255", gzip_file(idx_file({3}, bytes({0, 255, 1}))), "bad label at byte 9: got 255"},
      {"labels-too-few", idx_file({2}, bytes({0, 1})), "labels at byte 4: got 2; expected 3"},
      {"labels-too-many", idx_file({4}, bytes({0, 1, 0, 1})),
       "labels at byte 4: got 4; expected 3"},
      {"images-as-labels", idx_file({3, 1, 1}, "abc"), "is it a file of images?"},
      {"labels-cut", file.substr(0, 10), "truncated: got 10 bytes; expected 11"},
      {"labels-none", idx_file({0}, ""), "empty dimension at byte 4"},
  };
}

void load_images(const std::string& path) { data::read_idx(path, 3, room); }

void load_labels(const std::string& path) {
  const std::string images = path + "-images";
  write_file_atomically(images, idx_file({3, 1, 1}, "abc"));
  data::read_idx_images(images, path, {"no", "yes"}, room);
}

}  // namespace idx_files

BadInputs idx_cases() {
  using namespace idx_files;
  BadInputs cases;
  for (const auto& rows : {header_rows(), gzip_rows()})
    for (const Row& row : rows) cases.push_back({row.name, row.file, load_images, row.expected});
  for (const Row& row : label_rows())
    cases.push_back({row.name, row.file, load_labels, row.expected});
  return cases;
}

}  // namespace fraqat::test
