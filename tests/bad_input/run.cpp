#include <doctest/doctest.h>

#include <charconv>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <set>

#include "core/error.hpp"
#include "tests/bad_input/bad_input.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fraqat::test {
namespace {

constexpr long spare_kib = 64 * 1024;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
constexpr bool sanitized = __has_feature(address_sanitizer);
#else
constexpr bool sanitized = false;
#endif
constexpr double most_seconds = sanitized ? 5 : 1;  // of processor time

BadInputs all_cases() {
  BadInputs all;
  for (const auto& cases : {safetensors_cases(), state_cases(), png_cases(), recipe_cases(),
                            idx_cases(), cifar_cases(), packed_cases(), packed_width_cases()})
    all.insert(all.end(), cases.begin(), cases.end());
  return all;
}

/// KiB after `key` in /proc/self/status: VmRSS is now, VmHWM the peak.
long memory_kib(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key + ':')) {
      const std::size_t digit = line.find_first_of("0123456789");
      long kib = 0;
      std::from_chars(line.data() + digit, line.data() + line.size(), kib);
      return kib;
    }
  return 0;
}

void reset_peak_memory() { std::ofstream("/proc/self/clear_refs") << "5"; }

}  // namespace

std::string input_error(const std::function<void()>& load) {
  try {
    load();
  } catch (const Error& error) {
    CHECK(error.kind() == Error::Kind::input);
    CHECK(std::string_view(error.what()).find('\n') == std::string_view::npos);
    CHECK(std::string_view(error.what()).size() < 5000);
    return error.what();
  }
  return {};
}

TEST_CASE("bad input: every case is refused, in one line, at once, in little memory") {
  const BadInputs cases = all_cases();
  CHECK(cases.size() >= 100);
  TemporaryDirectory directory;
  std::set<std::string> names;
  for (const BadInput& bad : cases) {
    CAPTURE(bad.name);
    CHECK(names.insert(bad.name).second);
    const std::string path = directory / bad.name;
    // Not by write_file_atomically, which would wait for the disk each time.
    CHECK((std::ofstream(path, std::ios::binary) << bad.bytes).good());

    reset_peak_memory();
    const long before = memory_kib("VmRSS");
    const std::clock_t start = std::clock();
    const std::string text = input_error([&] { bad.load(path); });
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    const long used = memory_kib("VmHWM") - before;

    CAPTURE(text);
    CHECK(text.find(bad.name) != std::string::npos);
    CHECK(text.find(bad.expected) != std::string::npos);
    CHECK(text.find("got ") != std::string::npos);
    CHECK(seconds < most_seconds);
    if (!sanitized) CHECK(used < static_cast<long>(bad.bytes.size() / 1024) + spare_kib);
    std::filesystem::remove(path);
  }
  MESSAGE(cases.size(), " cases");
}

}  // namespace fraqat::test
