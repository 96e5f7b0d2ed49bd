#include "data/idx.hpp"

#include <doctest/doctest.h>

#include "tests/support/idx_file.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fraqat::idx_test {

using namespace fraqat::data;

namespace {

const std::vector<std::string> three = {"a", "b", "c"};
constexpr std::uint64_t room = 1 << 20;

const std::string pixels = std::string("\x00\x01\x7f\x80\xff\x0a", 6) + "abcdef";
const std::string images = test::idx_file({2, 2, 3}, pixels);

std::string at(const test::TemporaryDirectory& folder, const std::string& name,
               const std::string& bytes) {
  write_file_atomically(folder / name, bytes);
  return folder / name;
}

}  // namespace

TEST_CASE("idx: raw, gzip, and gzip with an extra field and a header checksum are the same") {
  const test::TemporaryDirectory folder;
  for (const std::string& file :
       {images, test::gzip_file(images), test::gzip_file(images, "some extra field")}) {
    const IdxArray array = read_idx(at(folder, "images", file), 3, room);
    CHECK(array.extents == std::vector<Index>{2, 2, 3});
    CHECK(std::string(array.bytes.begin(), array.bytes.end()) == pixels);
    CHECK(array.sha256 == sha256(std::as_bytes(std::span(images))));
  }
}

TEST_CASE("idx: the first bytes decide, not the name") {
  const test::TemporaryDirectory folder;
  CHECK(read_idx(at(folder, "images.gz", images), 3, room).bytes.size() == 12);
  CHECK(read_idx(at(folder, "images.raw", test::gzip_file(images)), 3, room).bytes.size() == 12);
}

TEST_CASE("idx: larger than one piece of unpacking") {
  const test::TemporaryDirectory folder;
  std::string much(3 * 1024 * 1030, '\0');
  for (std::size_t i = 0; i < much.size(); ++i) much[i] = static_cast<char>(i * i % 251);
  const std::string file = test::gzip_file(test::idx_file({3, 1024, 1030}, much));
  const IdxArray array = read_idx(at(folder, "big", file), 3, 4 * room);
  CHECK(std::string(array.bytes.begin(), array.bytes.end()) == much);
}

TEST_CASE("idx: images and labels that belong together") {
  const test::TemporaryDirectory folder;
  const auto set = read_idx_images(at(folder, "i", images),
                                   at(folder, "l", test::idx_file({2}, {'\2', '\0'})), three);
  CHECK(set->size() == 2);
  CHECK(set->sample() == Shape{2, 3, 1});
  CHECK(set->classes() == 3);
  CHECK(set->label(0) == 2);
  CHECK(set->label(1) == 0);
  std::array<float, 6> numbers{};
  set->get(0, numbers);
  CHECK(numbers == std::array{0.0f, 1.0f, 127.0f, 128.0f, 255.0f, 10.0f});
  CHECK_THROWS_AS(set->get(2, numbers), Error);
  CHECK_THROWS_AS(set->get(-1, numbers), Error);
  CHECK_THROWS_AS(set->get(0, std::span(numbers).first(5)), Error);
}

TEST_CASE("idx: the hash tells images and labels apart from others") {
  const test::TemporaryDirectory folder;
  const std::string i = at(folder, "i", images);
  const auto hash = [&](const std::string& labels) {
    return read_idx_images(i, at(folder, "l", test::idx_file({2}, labels)), three)->hash();
  };
  CHECK(hash("\1\2") == hash("\1\2"));
  CHECK(hash("\1\2") != hash("\2\1"));
}

TEST_CASE("idx: errors name file, offset, what is there and what should be") {
  const test::TemporaryDirectory folder;
  const std::string path = at(folder, "labels", test::idx_file({3}, "\1\2\3"));
  CHECK_THROWS_WITH_AS(
      read_idx_images(at(folder, "i", test::idx_file({3, 1, 1}, "abc")), path, three),
      ("[idx] \"" + path + "\": bad label at byte 10: got 3; expected a class below 3").c_str(),
      Error);
  CHECK_THROWS_WITH_AS(read_idx(path, 3, room),
                       ("[idx] \"" + path +
                        "\": wrong number of dimensions at byte 3: got 1; expected 3 (images); "
                        "is it a file of labels?")
                           .c_str(),
                       Error);
}

TEST_CASE("idx: every truncation of a packed and of a raw file is an input error") {
  const test::TemporaryDirectory folder;
  for (const std::string& file : {images, test::gzip_file(images), test::gzip_file(images, "xy")})
    for (std::size_t length = 0; length < file.size(); ++length) {
      const std::string path = at(folder, "cut", file.substr(0, length));
      try {
        read_idx(path, 3, room);
        FAIL("accepted ", length, " of ", file.size(), " bytes");
      } catch (const Error& error) {
        CHECK(error.kind() == Error::Kind::input);
        CHECK(std::string(error.what()).find(path) != std::string::npos);
      }
    }
}

TEST_CASE("idx: a flipped bit of a packed file changes nothing or is an input error") {
  const test::TemporaryDirectory folder;
  const std::string file = test::gzip_file(images);
  for (std::size_t bit = 0; bit < 8 * file.size(); ++bit) {
    std::string flipped = file;
    flipped[bit / 8] ^= static_cast<char>(1 << bit % 8);
    const std::string path = at(folder, "flipped", flipped);
    try {
      const IdxArray array = read_idx(path, 3, room);
      CHECK(std::string(array.bytes.begin(), array.bytes.end()) == pixels);
    } catch (const Error& error) {
      CHECK(error.kind() == Error::Kind::input);
    }
  }
}

}  // namespace fraqat::idx_test
