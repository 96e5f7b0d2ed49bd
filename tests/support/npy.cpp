#include "tests/support/npy.hpp"

#include <bit>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "tests/support/folder.hpp"

namespace fraqat::test {
namespace {

/// Takes `expected` from the front of `rest`, or says what stands there instead.
void take(std::string_view& rest, std::string_view expected, const std::string& who) {
  check_input(rest.starts_with(expected), "[npy] ", who, ": got \"", rest.substr(0, 60),
              "\"; expected \"", expected, '"');
  rest.remove_prefix(expected.size());
}

// "3, 5)" or "3,)" or ")", behind the opening bracket.
Shape take_shape(std::string_view& rest, const std::string& who) {
  std::vector<Index> dims;
  while (!rest.starts_with(')')) {
    if (!dims.empty()) take(rest, " ", who);
    Index extent = -1;
    const auto end = std::from_chars(rest.data(), rest.data() + rest.size(), extent);
    check_input(end.ec == std::errc() && extent >= 0 && extent <= 1'000'000, "[npy] ", who,
                ": got extent \"", rest.substr(0, 20), "\"; expected 0 to 1000000");
    rest.remove_prefix(static_cast<std::size_t>(end.ptr - rest.data()));
    dims.push_back(extent);
    if (dims.size() == 1 || !rest.starts_with(')')) take(rest, ",", who);
  }
  take(rest, ")", who);
  return Shape(dims);
}

}  // namespace

Tensor parse_npy(std::string_view bytes, const std::string& who) {
  static_assert(std::endian::native == std::endian::little);
  std::string_view rest = bytes;
  constexpr std::string_view magic("\x93NUMPY\x01\x00", 8);
  check_input(rest.starts_with(magic), "[npy] ", who, ": not a .npy file of version 1.0");
  rest.remove_prefix(magic.size());
  check_input(rest.size() >= 2, "[npy] ", who, ": ends within its header");
  const auto low = static_cast<unsigned char>(rest[0]), high = static_cast<unsigned char>(rest[1]);
  const std::size_t length = low + 256u * high;
  rest.remove_prefix(2);
  check_input(rest.size() >= length, "[npy] ", who, ": ends within its header");
  std::string_view header = rest.substr(0, length), data = rest.substr(length);
  take(header, "{'descr': '<f4', 'fortran_order': False, 'shape': (", who);
  const Shape shape = take_shape(header, who);
  take(header, ", }", who);
  check_input(header.find_first_not_of(' ') == header.size() - 1 && header.ends_with('\n'),
              "[npy] ", who, ": the header goes on behind its end");
  const std::size_t expected = static_cast<std::size_t>(shape.size()) * sizeof(float);
  check_input(data.size() == expected, "[npy] ", who, ": got ", data.size(),
              " bytes of data; expected ", expected);
  Tensor tensor(shape);
  for (Index i = 0; i < tensor.size(); ++i) {
    float value;
    std::memcpy(&value, data.data() + static_cast<std::size_t>(i) * sizeof(float), sizeof value);
    tensor[i] = Real(value);
  }
  return tensor;
}

std::string golden_path(const std::string& name) {
  return tests_folder() + "/golden/" + name + ".npy";
}

Tensor golden(const std::string& name) {
  const std::string path = golden_path(name);
  std::ifstream file(path, std::ios::binary);
  check_input(file.good(), "[npy] cannot open ", path, "; try the script in tests/golden");
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  return parse_npy(bytes, path);
}

}  // namespace fraqat::test
