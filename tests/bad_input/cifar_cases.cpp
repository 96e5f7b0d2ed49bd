#include "data/cifar.hpp"
#include "tests/bad_input/bad_input.hpp"
#include "tests/support/idx_file.hpp"

namespace fraqat::test {
namespace cifar_files {

constexpr std::size_t record = 3073;

struct Row {
  std::string name, file, expected;
};

/// Two records of labels 7 and 1.
std::string good() {
  std::string file(2 * record, 'a');
  file[0] = '\7';
  file[record] = '\1';
  return file;
}

std::string with_byte(std::string file, std::size_t position, int value) {
  file[position] = static_cast<char>(value);
  return file;
}

std::vector<Row> raw_rows() {
  const std::string file = good();
  return {
      {"cifar-empty", "", "truncated: got 0 bytes, which end in record 0; expected 6146"},
      {"cifar-one-byte", file.substr(0, 1), "truncated: got 1 bytes"},
      {"cifar-one-record", file.substr(0, record), "got 3073 bytes, which end in record 1"},
      {"cifar-second-label-alone", file.substr(0, record + 1), "truncated: got 3074 bytes"},
      {"cifar-cut-at-the-end", file.substr(0, file.size() - 1), "truncated: got 6145 bytes"},
      {"cifar-trailing-byte", file + "x", "got 6147 bytes, which end in record 2; expected 6146"},
      {"cifar-third-record", file + file.substr(record), "trailing bytes: got 9219 bytes"},
      {"cifar-first-label-10", with_byte(file, 0, 10), "bad label at byte 0: got 10"},
      {"cifar-first-label-255", with_byte(file, 0, 255), "bad label at byte 0: got 255"},
      {"cifar-second-label-10", with_byte(file, record, 10), "bad label at byte 3073: got 10"},
      {"cifar-shifted-by-one", file.substr(1) + file.substr(0, 1), "bad label at byte 0: got 97"},
      {"cifar-is-idx", idx_file({10, 2, 307}, std::string(6130, 'x')), "bad label at byte 3073"},
      {"cifar-100-labels", with_byte(file, record, 99), "expected a class below 10"},
      {"cifar-huge", std::string(std::size_t{1} << 20, '\1'), "got 1048576 bytes"},
  };
}

std::vector<Row> gzip_rows() {
  const std::string file = gzip_file(good());
  const std::size_t size = file.size();
  return {
      {"cifar-gz-cut-in-header", file.substr(0, 9), "truncated at byte 9"},
      {"cifar-gz-cut-in-data", file.substr(0, size - 15), "truncated at byte"},
      {"cifar-gz-cut-in-length", file.substr(0, size - 1), "truncated at byte"},
      {"cifar-gz-wrong-crc", with_byte(file, size - 8, file[size - 8] ^ 1), "incorrect data check"},
      {"cifar-gz-one-byte-short", gzip_file(good().substr(0, good().size() - 1)),
       "truncated: got 6145 bytes of unpacked data; expected 6146"},
      {"cifar-gz-trailing-byte", gzip_file(good() + "x"), "more data than declared"},
      {"cifar-gz-two-members", file + file, "something follows the gzip stream"},
      {"cifar-gz-empty", gzip_file(""), "got 0 bytes of unpacked data"},
      {"cifar-gz-bad-label", gzip_file(with_byte(good(), record, 11)), "bad label at byte 3073"},
      {"cifar-gz-in-gz", gzip_file(file + std::string(good().size() - size, 'x')),
       "bad label at byte 0: got 31"},
      {"cifar-gz-bomb", gzip_file(good() + std::string(std::size_t{40} << 20, '\0')),
       "more data than declared"},
  };
}

}  // namespace cifar_files

BadInputs cifar_cases() {
  using namespace cifar_files;
  BadInputs cases;
  for (const auto& rows : {raw_rows(), gzip_rows()})
    for (const Row& row : rows)
      cases.push_back({row.name, row.file,
                       [](const std::string& path) { data::read_cifar(path, 2); }, row.expected});
  // What CIFAR-10 would take, of a file of nothing: refused before memory is.
  cases.push_back({"cifar-ten-thousand-records", "\1",
                   [](const std::string& path) { data::read_cifar(path, 10000); },
                   "expected 30730000, 10000 records of 3073"});
  cases.push_back({"cifar-gz-ten-thousand-records", gzip_file(good()),
                   [](const std::string& path) { data::read_cifar(path, 1000000); },
                   "got 6146 bytes of unpacked data; expected 3073000000"});
  return cases;
}

}  // namespace fraqat::test
