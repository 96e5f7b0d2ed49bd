#include "tests/support/golden.hpp"

#include <cstring>

#include "tests/support/npy.hpp"

namespace fraqat::golden_test {
namespace {

// The bytes numpy.save writes for float32: header padded to 64, then the numbers.
std::string npy(const std::string& dictionary, const std::vector<float>& numbers) {
  std::string header = dictionary;
  while ((10 + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size());
  bytes += '\0';
  bytes += header;
  bytes.resize(bytes.size() + 4 * numbers.size());
  if (!numbers.empty())
    std::memcpy(bytes.data() + bytes.size() - 4 * numbers.size(), numbers.data(),
                4 * numbers.size());
  return bytes;
}

std::string of_shape(const std::string& shape) {
  return "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }";
}

void check_refused(const std::string& bytes, const std::string& text) {
  try {
    test::parse_npy(bytes, "a.npy");
    FAIL("not refused: expected ", text);
  } catch (const Error& error) {
    CHECK(error.kind() == Error::Kind::input);
    CHECK_MESSAGE(std::string(error.what()).find(text) != std::string::npos, error.what());
  }
}

}  // namespace

TEST_CASE("npy: shapes and numbers as they were written") {
  const Tensor matrix = test::parse_npy(npy(of_shape("(2, 3)"), {1, 2, 3, 4, 5, -6.5f}), "a.npy");
  CHECK(matrix.shape() == Shape{2, 3});
  CHECK(test::numbers(matrix) == std::vector<Real>{1, 2, 3, 4, 5, -6.5});
  CHECK(test::parse_npy(npy(of_shape("()"), {7}), "a.npy").shape() == Shape{});
  CHECK(test::parse_npy(npy(of_shape("(1,)"), {7}), "a.npy").shape() == Shape{1});
  CHECK(test::parse_npy(npy(of_shape("(0, 4)"), {}), "a.npy").shape() == Shape{0, 4});
}

TEST_CASE("npy: everything else is refused") {
  const std::string good = npy(of_shape("(2,)"), {1, 2});
  for (std::size_t n = 0; n < good.size(); ++n) check_refused(good.substr(0, n), "[npy] a.npy");
  check_refused(good + '\0', "got 9 bytes of data; expected 8");
  check_refused(npy(of_shape("(3,)"), {1, 2}), "got 8 bytes of data; expected 12");
  check_refused(npy(of_shape("(-2,)"), {1, 2}), "got extent \"-2,)");
  check_refused(npy(of_shape("(2)"), {1, 2}), "expected \",\"");
  check_refused(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", {1, 2}),
                "got \"{'descr': '<f8'");
  check_refused(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", {1, 2}),
                "got \"{'descr': '<f4', 'fortran_order': True");
  check_refused(npy(of_shape("(2,)") + "}", {1, 2}), "goes on behind its end");
  std::string version = good;
  version[6] = 2;
  check_refused(version, "not a .npy file of version 1.0");
}

TEST_CASE("golden: a case that is not there is an error, not a case passed") {
  CHECK_THROWS_WITH_AS(test::as_pytorch("add/none", [](auto x) { return op::sum(x[0]); }),
                       doctest::Contains("/golden/add/none.x0.npy; try the script in tests/golden"),
                       Error);
}

}  // namespace fraqat::golden_test
