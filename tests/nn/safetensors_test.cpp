#include "nn/safetensors.hpp"

#include <doctest/doctest.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <sstream>
#include <type_traits>

#include "core/file.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fraqat::nn {
namespace {

using test::TemporaryDirectory;

template <class T>
SafeTensors::Entry entry(std::string name, DType dtype, const Shape& shape, std::vector<T> v) {
  const auto bytes = std::as_bytes(std::span(v));
  return {std::move(name), dtype, shape, {bytes.begin(), bytes.end()}};
}

const std::vector<float> floats = {0.0f, -0.0f, 0.1f, -1e-45f, 3.4028235e38f, 1.17549435e-38f};
const std::vector<double> doubles = {0.1, -4.9e-324, 1.7976931348623157e308};
const std::vector<std::uint8_t> bytes = {0, 1, 127, 128, 255};
const std::vector<std::int8_t> chars = {-128, -1, 0, 127};
const std::vector<std::int32_t> ints = {-2147483647 - 1, 2147483647, 42};
const std::vector<std::int64_t> longs = {std::numeric_limits<std::int64_t>::min(),
                                         std::numeric_limits<std::int64_t>::max()};

SafeTensors all_dtypes() {
  SafeTensors tensors;
  tensors.metadata = {{"format", "test"}, {"quote\" and \xC3\xA9", "line\nfeed \\ {\"a\": 1}"}};
  tensors.entries = {entry("z.floats", DType::f32, {1, 2, 3, 1, 1}, floats),
                     entry("bytes", DType::u8, {5}, bytes),
                     entry("a.doubles", DType::f64, {3, 1}, doubles),
                     entry("chars", DType::i8, {2, 2}, chars),
                     entry("ints", DType::i32, {1, 3}, ints),
                     entry("longs", DType::i64, {2}, longs),
                     entry("scalar", DType::f32, {}, std::vector<float>{2.5f})};
  return tensors;
}

void check_equal(const SafeTensors& a, const SafeTensors& b) {
  CHECK(a.metadata == b.metadata);
  CHECK(a.sealed == b.sealed);
  REQUIRE(a.entries.size() == b.entries.size());
  for (std::size_t i = 0; i < a.entries.size(); ++i) {
    CHECK(a.entries[i].name == b.entries[i].name);
    CHECK(a.entries[i].dtype == b.entries[i].dtype);
    CHECK(a.entries[i].shape == b.entries[i].shape);
    CHECK(a.entries[i].bytes == b.entries[i].bytes);
  }
}

std::string output_of(const std::string& command) {
  std::string output;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> block{};
  while (const std::size_t n = std::fread(block.data(), 1, block.size(), pipe))
    output.append(block.data(), n);
  CHECK(::pclose(pipe) == 0);
  return output;
}

/// "tensor NAME DTYPE SHAPE NUMBER...": every number against `expected`.
template <class T>
void check_line(std::istream& lines, const std::string& head, const std::vector<T>& expected) {
  std::string line;
  std::getline(lines, line);
  CHECK(line.substr(0, head.size() + 1) == head + ' ');
  std::istringstream words(line.substr(head.size()));
  for (T number : expected) {
    std::string word;
    words >> word;
    std::conditional_t<std::is_floating_point_v<T>, double, std::int64_t> read{};
    const auto result = std::from_chars(word.data(), word.data() + word.size(), read);
    CHECK(result.ec == std::errc());
    CHECK(read == number);
    if constexpr (std::is_floating_point_v<T>) CHECK(std::signbit(read) == std::signbit(number));
  }
  std::string more;
  words >> more;
  CHECK(more.empty());
}

TEST_CASE("safetensors: an independent reader sees every number") {
  TemporaryDirectory directory;
  SafeTensors tensors = all_dtypes();
  for (bool sealed : {false, true}) {
    tensors.sealed = sealed;
    const std::string path = directory / "all.safetensors";
    write_safetensors(path, tensors);
    std::istringstream lines(
        output_of("python3 " + test::tests_folder() + "/nn/read_safetensors.py " + path));
    std::string line;
    std::getline(lines, line);
    CHECK(line == R"(meta "format" "test")");
    if (sealed) {
      std::getline(lines, line);
      CHECK(line.substr(0, 22) == R"(meta "fraqat.sha256" ")");
    }
    std::getline(lines, line);
    CHECK(line == R"(meta "quote\" and \u00e9" "line\nfeed \\ {\"a\": 1}")");
    check_line(lines, "tensor z.floats F32 1x2x3x1x1", floats);
    check_line(lines, "tensor bytes U8 5", bytes);
    check_line(lines, "tensor a.doubles F64 3x1", doubles);
    check_line(lines, "tensor chars I8 2x2", chars);
    check_line(lines, "tensor ints I32 1x3", ints);
    check_line(lines, "tensor longs I64 2", longs);
    check_line(lines, "tensor scalar F32 scalar", std::vector<float>{2.5f});
    CHECK(!std::getline(lines, line));
  }
}

TEST_CASE("safetensors: parse and serialize are inverse, and deterministic") {
  SafeTensors tensors = all_dtypes();
  for (bool sealed : {false, true}) {
    tensors.sealed = sealed;
    const auto file = serialize(tensors);
    const SafeTensors again = parse_safetensors(file, "memory");
    check_equal(again, tensors);
    CHECK(serialize(again) == file);
    std::uint64_t header = 0;
    std::memcpy(&header, file.data(), sizeof(header));
    CHECK((sizeof(header) + header) % 64 == 0);
  }
  check_equal(parse_safetensors(serialize({}), "memory"), {});
  CHECK(tensors.find("ints")->shape == Shape{1, 3});
  CHECK(tensors.find("nothing") == nullptr);
}

/// A file that another program wrote: keys in another order, spaces, bytes in
/// another order than the header.
TEST_CASE("safetensors: a file of somebody else") {
  std::string header = R"({ "b" : {"data_offsets": [2, 6], "shape": [], "dtype": "F32"},)"
                       R"( "a":{"shape":[2],"dtype":"U8","data_offsets":[0,2]} }  )";
  std::string file(8, '\0');
  file[0] = static_cast<char>(header.size());
  file += header + std::string("\x07\x09\x00\x00\x80\x3F", 6);
  const SafeTensors tensors = parse_safetensors(std::as_bytes(std::span(file)), "memory");
  REQUIRE(tensors.entries.size() == 2);
  CHECK(tensors.entries[0].name == "a");
  CHECK(tensors.entries[0].bytes == std::vector<std::byte>{std::byte{7}, std::byte{9}});
  CHECK(tensors.entries[1].shape == Shape{});
  float one = 0;
  std::memcpy(&one, tensors.entries[1].bytes.data(), sizeof(one));
  CHECK(one == 1.0f);
}

TEST_CASE("safetensors: any altered byte of a sealed file is noticed") {
  SafeTensors tensors = all_dtypes();
  tensors.sealed = true;
  const auto file = serialize(tensors);
  for (std::size_t i = 0; i < file.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      auto altered = file;
      altered[i] ^= std::byte(1 << bit);
      bool noticed = false;
      try {
        // A flip inside the key turns the seal into ordinary metadata.
        noticed = !parse_safetensors(altered, "memory").sealed;
      } catch (const Error& error) {
        noticed = error.kind() == Error::Kind::input;
      }
      if (!noticed) CHECK_MESSAGE(noticed, "byte ", i, " bit ", bit);
    }
}

TEST_CASE("safetensors: what could not be read is not written") {
  const auto refused = [](SafeTensors::Entry bad) {
    SafeTensors tensors;
    tensors.entries = {entry("a", DType::u8, {1}, std::vector<std::uint8_t>{1}), std::move(bad)};
    CHECK_THROWS_AS(serialize(tensors), Error);
  };
  const std::vector<std::uint8_t> two = {1, 2};
  refused(entry("a", DType::u8, {2}, two));                          // twice
  refused(entry("__metadata__", DType::u8, {2}, two));               // reserved
  refused(entry("", DType::u8, {2}, two));                           // no name
  refused(entry(std::string(1025, 'x'), DType::u8, {2}, two));       // too long
  refused(entry("\xff", DType::u8, {2}, two));                       // not UTF-8
  refused(entry(std::string("b\0c", 3), DType::u8, {2}, two));       // NUL
  refused(entry("b", DType::u8, {3}, two));                          // too few bytes
  refused(entry("b", DType::f32, {2}, two));                         // too few bytes
  refused(entry("b", DType::u8, {0}, std::vector<std::uint8_t>{}));  // empty
  SafeTensors tensors;
  tensors.metadata["a"] = "\xff";
  CHECK_THROWS_AS(serialize(tensors), Error);
  for (const bool sealed : {false, true}) {  // keys that would be taken for the seal
    tensors.sealed = sealed;
    tensors.metadata = {{"fraqat.sha256", "x"}};
    CHECK_THROWS_WITH_AS(serialize(tensors),
                         "[safetensors] metadata cannot be written: got key \"fraqat.sha256\"; "
                         "expected one that does not end with \"fraqat.sha256\"",
                         Error);
    tensors.metadata = {{"\"fraqat.sha256", std::string(64, '0')}};
    CHECK_THROWS_AS(serialize(tensors), Error);
    tensors.metadata = {{"fraqat.sha256 of another", "x"}};
    check_equal(parse_safetensors(serialize(tensors), "memory"), tensors);
  }
}

}  // namespace
}  // namespace fraqat::nn
