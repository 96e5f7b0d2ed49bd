#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <cstring>

#include "core/error.hpp"
#include "core/file.hpp"
#include "nn/safetensors.hpp"
#include "tests/bad_input/bad_input.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/temporary_directory.hpp"

/// Every truncation and every single-bit flip of small files, judged twice: by
/// parse_safetensors and by a second program with the same rules.
namespace fraqat::test {
namespace {

std::string small_file() {
  return safetensors_file(
      R"({"__metadata__":{"key":"value"},"a.w":{"dtype":"F32","shape":[1,3],"data_offsets":[0,12]},)"
      R"("b":{"dtype":"I8","shape":[],"data_offsets":[12,13]}}   )",
      "0123456789abc");
}

bool accepted(const std::string& file) {
  nn::SafeTensors tensors;
  const std::string text = input_error(
      [&] { tensors = nn::parse_safetensors(std::as_bytes(std::span(file)), "origin.name"); });
  if (!text.empty()) {
    CHECK(text.find("origin.name") != std::string::npos);
    return false;
  }
  const auto again = nn::serialize(tensors);
  CHECK(nn::serialize(nn::parse_safetensors(again, "again")) == again);
  return true;
}

/// The verdicts of judge_safetensors.py, '1' for good.
std::string judged(const std::vector<std::string>& files) {
  TemporaryDirectory directory;
  const std::string path = directory / "files";
  std::string all;
  for (const std::string& file : files) {
    const std::uint64_t size = file.size();
    all.append(reinterpret_cast<const char*>(&size), sizeof(size)).append(file);
  }
  write_file_atomically(path, all);
  std::FILE* pipe = ::popen(
      ("python3 " + tests_folder() + "/bad_input/judge_safetensors.py " + path).c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string verdicts;
  std::array<char, 4096> block{};
  while (const std::size_t n = std::fread(block.data(), 1, block.size(), pipe))
    verdicts.append(block.data(), n);
  CHECK(::pclose(pipe) == 0);
  return verdicts;
}

/// Both judges agree about every file; returns how many are good.
std::size_t agreed(const std::vector<std::string>& files) {
  const std::string verdicts = judged(files);
  REQUIRE(verdicts.size() == files.size());
  std::size_t good = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const bool ours = accepted(files[i]);
    good += ours;
    if (ours != (verdicts[i] == '1'))
      CHECK_MESSAGE(false, "file ", i, ours ? " accepted" : " refused",
                    " by us alone: ", files[i].substr(8));
  }
  return good;
}

}  // namespace

TEST_CASE("bad input: every truncation of a safetensors file") {
  const std::string file = small_file();
  CHECK(accepted(file));
  std::vector<std::string> files;
  for (std::size_t size = 0; size < file.size(); ++size) files.push_back(file.substr(0, size));
  CHECK(agreed(files) == 0);
}

TEST_CASE("bad input: every single-bit flip of a safetensors header") {
  const std::string file = small_file();
  std::vector<std::string> files;
  for (std::size_t i = 0; i < file.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      files.push_back(file);
      files.back()[i] = static_cast<char>(file[i] ^ 1 << bit);
    }
  const std::size_t good = agreed(files);
  // Letters of the four names, and the data: most flips there are still a file.
  CHECK(good > 13 * 8);
  CHECK(good < 13 * 8 + 200);
}

TEST_CASE("bad input: every pair of neighbours swapped, every byte doubled or removed") {
  const std::string file = small_file();
  std::vector<std::string> files;
  for (std::size_t i = 0; i + 1 < file.size(); ++i) {
    files.push_back(file);
    std::swap(files.back()[i], files.back()[i + 1]);
    files.push_back(file.substr(0, i) + file.substr(i + 1));
    files.push_back(file.substr(0, i) + file[i] + file.substr(i));
    // With the length repaired, so that the header itself is judged.
    if (i < 8 || i >= file.size() - 13) continue;
    files.push_back(
        safetensors_file(file.substr(8, i - 8) + file.substr(i + 1, file.size() - 14 - i),
                         file.substr(file.size() - 13)));
    files.push_back(
        safetensors_file(file.substr(8, i - 8) + file[i] + file.substr(i, file.size() - 13 - i),
                         file.substr(file.size() - 13)));
  }
  CHECK(agreed(files) > 0);
}

}  // namespace fraqat::test
