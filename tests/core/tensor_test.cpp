#include "core/tensor.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <sstream>

namespace fraqat::tensor_test {

TEST_CASE("shape: rank, size, extents from both ends") {
  const Shape shape{2, 3, 5};
  CHECK(shape.rank() == 3);
  CHECK(shape.size() == 30);
  CHECK(shape[0] == 2);
  CHECK(shape[-1] == 5);
  CHECK(shape[-3] == 2);
  CHECK(Shape{}.size() == 1);
  CHECK(Shape{4, 0, 2}.size() == 0);
  CHECK(Shape{2, 3} == Shape{2, 3});
  CHECK(Shape{2, 3} != Shape{2, 3, 1});
  CHECK(Shape{} != Shape{1});
}

TEST_CASE("shape: prints as a list") {
  std::ostringstream text;
  text << Shape{2, 3, 5} << Shape{} << Shape{7};
  CHECK(text.str() == "[2, 3, 5][][7]");
}

TEST_CASE("shape: six dimensions and negative extents are refused") {
  CHECK_THROWS_WITH_AS((Shape{1, 1, 1, 1, 1, 1}),
                       "[shape] too many dimensions: got 6; expected at most 5", Error);
  CHECK_THROWS_WITH_AS((Shape{2, -1}), "[shape] negative extent: got -1; expected 0 or more",
                       Error);
}

TEST_CASE("shape: more elements than can be counted are refused, an extent of 0 or not") {
  constexpr Index half = Index(1) << 31;
  CHECK(Shape{Shape::max_size / 2, 2}.size() == Shape::max_size);
  CHECK_THROWS_WITH_AS((Shape{half, half}),
                       "[shape] too large: got [2147483648, 2147483648]; expected at most "
                       "70368744177664 elements",
                       Error);
  CHECK_THROWS_AS((Shape{half, half, 4}), Error);  // 2^64, which an Index takes for 0
  CHECK_THROWS_AS((Shape{half, half, 0}), Error);
}

TEST_CASE("error: kinds are exit codes; the text is the parts in order") {
  const auto kind = [](auto&& thrower) {
    try {
      thrower();
    } catch (const Error& error) {
      CHECK(error.what() == std::string("[x] got 3"));
      return error.exit_code();
    }
    return 0;
  };
  CHECK(kind([] { check(false, "[x] got ", 3); }) == 1);
  CHECK(kind([] { check_usage(false, "[x] got ", 3); }) == 2);
  CHECK(kind([] { check_input(false, "[x] got ", 3); }) == 3);
  CHECK(kind([] { check(true, "[x] got ", 3); }) == 0);
}

TEST_CASE("tensor: empty, scalar and filled") {
  const Tensor empty;
  CHECK_FALSE(empty);
  CHECK(empty.size() == 0);
  CHECK(Tensor::scalar(3).item() == 3);
  CHECK(Tensor({1, 1, 1}, Real(4)).item() == 4);
  const Tensor big({300, 301}, Real(2));  // filled in several tasks
  for (const Real v : big.span()) REQUIRE(v == 2);
}

TEST_CASE("tensor: numbers start on 64 bytes") {
  for (const Index n : {1, 3, 17, 1000, 100'003}) {
    const Tensor t(Shape{n});
    CHECK(reinterpret_cast<std::uintptr_t>(t.data()) % 64 == 0);
  }
}

TEST_CASE("tensor: copies and views share, clones do not") {
  Tensor a({2, 3}, std::array<Real, 6>{1, 2, 3, 4, 5, 6});
  CHECK(a.unique());
  const Tensor copy = a, view = a.reshape({3, 2}), clone = a.clone();
  CHECK_FALSE(a.unique());
  CHECK(clone.unique());
  a[0] = 10;
  CHECK(copy[0] == 10);
  CHECK(view[0] == 10);
  CHECK(view.shape() == Shape{3, 2});
  CHECK(clone[0] == 1);
  CHECK_FALSE(Tensor().clone());
}

TEST_CASE("tensor: add in place") {
  Tensor a({3}, std::array<Real, 3>{1, 2, 3});
  add_in_place(a, Tensor({3}, std::array<Real, 3>{10, 20, 30}));
  CHECK(a[0] == 11);
  CHECK(a[1] == 22);
  CHECK(a[2] == 33);
  CHECK_THROWS_WITH_AS(add_in_place(a, Tensor({2}, Real(0))),
                       "[add] shapes differ: got [3] and [2]; expected equal shapes", Error);
}

TEST_CASE("tensor: what does not fit is refused") {
  CHECK_THROWS_WITH_AS(Tensor({2, 2}, std::array<Real, 3>{1, 2, 3}),
                       "[tensor] wrong number of values: got 3; expected 4 for shape [2, 2]",
                       Error);
  CHECK_THROWS_WITH_AS(Tensor({Shape::max_size}),
                       doctest::Contains("[tensor] out of memory: got shape [70368744177664] of "),
                       Error);
  const Tensor a({2, 3}, Real(0));
  CHECK_THROWS_WITH_AS(a.item(),
                       "[tensor] item of a tensor that is no scalar: got shape [2, 3]; expected "
                       "one element",
                       Error);
  CHECK_THROWS_WITH_AS(
      a.reshape({4}),
      "[reshape] sizes differ: got [2, 3] to [4]; expected the same number of elements", Error);
}

}  // namespace fraqat::tensor_test
