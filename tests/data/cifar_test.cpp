#include "data/cifar.hpp"

#include <doctest/doctest.h>

#include "core/error.hpp"
#include "tests/support/idx_file.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fraqat::cifar_test {

using namespace fraqat::data;

namespace {

constexpr std::size_t record = 3073;

/// Record n has label (3 n) % 10, and in channel c, row y, column x the byte
/// 100 n + 64 c + 3 y + 7 x.
std::string file(int records) {
  std::string bytes;
  for (int n = 0; n < records; ++n) {
    bytes += static_cast<char>(3 * n % 10);
    for (int c = 0; c < 3; ++c)
      for (int y = 0; y < 32; ++y)
        for (int x = 0; x < 32; ++x)
          bytes += static_cast<char>((100 * n + 64 * c + 3 * y + 7 * x) & 0xff);
  }
  return bytes;
}

std::string at(const test::TemporaryDirectory& folder, const std::string& bytes) {
  write_file_atomically(folder / "batch.bin", bytes);
  return folder / "batch.bin";
}

}  // namespace

TEST_CASE("cifar: planes become pixels, raw or packed") {
  const test::TemporaryDirectory folder;
  const std::string raw = file(5);
  for (const std::string& bytes : {raw, test::gzip_file(raw)}) {
    const CifarRecords records = read_cifar(at(folder, bytes), 5);
    CHECK(records.labels == std::vector<std::uint8_t>{0, 3, 6, 9, 2});
    CHECK(records.sha256 == sha256(std::as_bytes(std::span(raw))));
    REQUIRE(records.pixels.size() == 5 * 32 * 32 * 3);
    int wrong = 0;
    std::size_t i = 0;
    for (int n = 0; n < 5; ++n)
      for (int y = 0; y < 32; ++y)
        for (int x = 0; x < 32; ++x)
          for (int c = 0; c < 3; ++c)
            wrong += records.pixels[i++] != ((100 * n + 64 * c + 3 * y + 7 * x) & 0xff);
    CHECK(wrong == 0);
  }
}

TEST_CASE("cifar: errors name file, offset, what is there and what should be") {
  const test::TemporaryDirectory folder;
  std::string bytes = file(3);
  bytes[2 * record] = 10;
  const std::string path = at(folder, bytes);
  const std::string who = "[cifar] \"" + path + "\": ";
  CHECK_THROWS_WITH_AS(read_cifar(path, 3),
                       (who + "bad label at byte 6146: got 10; expected a class below 10").c_str(),
                       Error);
  CHECK_THROWS_WITH_AS(read_cifar(path, 4),
                       (who + "truncated: got 9219 bytes, which end in record 3; expected 12292, "
                              "4 records of 3073")
                           .c_str(),
                       Error);
  CHECK_THROWS_WITH_AS(read_cifar(at(folder, bytes), 2), doctest::Contains("trailing bytes"),
                       Error);
  CHECK_THROWS_AS(read_cifar(path, 0), Error);
}

TEST_CASE("cifar: every truncation near a boundary is an input error") {
  const test::TemporaryDirectory folder;
  const std::string raw = file(2), packed = test::gzip_file(raw);
  for (const std::string& whole : {raw, packed})
    for (std::size_t length = 0; length < whole.size(); length += length < 40 ? 1 : 97) {
      const std::string path = at(folder, whole.substr(0, length));
      try {
        read_cifar(path, 2);
        FAIL("accepted ", length, " of ", whole.size(), " bytes");
      } catch (const Error& error) {
        CHECK(error.kind() == Error::Kind::input);
        CHECK(std::string(error.what()).find(path) != std::string::npos);
      }
    }
}

}  // namespace fraqat::cifar_test
