#include <limits>

#include "tests/support/golden.hpp"

namespace fraqat::pad_test {
namespace {

std::vector<op::Ends> some_ends(int rank) {
  std::vector<op::Ends> ends;
  for (int d = 0; d < rank; ++d) ends.push_back({d % 3, (d + 1) % 3});
  return ends;
}

}  // namespace

TEST_CASE("pad: gradient") {
  for (const Shape& shape : test::odd_shapes)
    test::gradcheck(
        [&](std::span<const Var> x) { return op::pad(x[0], some_ends(shape.rank()), Real(0.5)); },
        {test::normal(shape)});
}

TEST_CASE("pad: by hand") {
  const Var x(Tensor({2, 1}, std::array<Real, 2>{1, 2}), true);
  Tape tape;
  const Var y = op::pad(x, {{1, 0}, {0, 2}}, 9);
  CHECK(y.shape() == Shape{3, 3});
  CHECK(test::numbers(y.value()) == std::vector<Real>{9, 9, 9, 1, 9, 9, 2, 9, 9});
  tape.backward(op::sum(op::mul(y, y)));
  CHECK(test::numbers(x.grad()) == std::vector<Real>{2, 4});
}

TEST_CASE("pad: of channels it is pad_channels; slice takes it away again") {
  const Var x(test::normal({3, 5, 2}));
  const Var y = op::pad(x, {{}, {}, {2, 3}});
  CHECK(test::numbers(y.value()) == test::numbers(op::pad_channels(x, 2, 3).value()));
  CHECK(test::numbers(op::slice(y, 2, 2, 4).value()) == test::numbers(x.value()));
}

TEST_CASE("pad: attributes") {
  Tape tape(Tape::Records::graph);
  op::pad(Var(Tensor({1, 2}, Real(0))), {{1, 2}, {3, 4}}, 5);
  const Attributes attributes = tape.nodes()[0]->attributes();
  CHECK(attributes.get<std::vector<Index>>("before") == std::vector<Index>{1, 3});
  CHECK(attributes.get<std::vector<Index>>("after") == std::vector<Index>{2, 4});
  CHECK(attributes.get<double>("value") == 5);
}

TEST_CASE("pad: same bits for any number of threads") {
  test::same_bits_for_any_threads(
      [](std::span<const Var> x) { return op::pad(x[0], some_ends(3), 1); },
      {test::normal({131, 19, 61})});
}

TEST_CASE("pad: as PyTorch") {
  test::as_pytorch("pad/image", [](std::span<const Var> x) {
    return op::pad(x[0], {{}, {1, 2}, {0, 3}, {}}, Real(0.25));
  });
}

TEST_CASE("pad: what cannot be padded is refused") {
  const Var x(Tensor({2, 3}, Real(0)));
  CHECK_THROWS_WITH_AS(op::pad(x, {{1, 1}}),
                       "[pad] wrong number of dimensions: got 1 for x [2, 3]; expected one "
                       "{before, after} for each",
                       Error);
  CHECK_THROWS_WITH_AS(op::pad(x, {{0, 0}, {0, -1}}),
                       "[pad] impossible padding: got 0 and -1; expected 0 to 70368744177664",
                       Error);
  constexpr Index most = std::numeric_limits<Index>::max();
  CHECK_THROWS_AS(op::pad(x, {{0, 0}, {most, most}}), Error);  // 3 + 2 most is 1, overflown
  CHECK_THROWS_WITH_AS(op::pad(x, {{0, Index(1) << 31}, {0, Index(1) << 31}}),
                       doctest::Contains("[shape] too large: got [2147483650, 2147483651]"), Error);
}

}  // namespace fraqat::pad_test
