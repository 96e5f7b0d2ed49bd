#include <limits>

#include "tests/support/golden.hpp"

namespace fraqat::pad_channels_test {
namespace {

Var pad(std::span<const Var> x) { return op::pad_channels(x[0], 2, 3); }

}  // namespace

TEST_CASE("pad_channels: gradient") {
  for (const Shape& shape : test::odd_shapes)
    if (shape.rank() > 0) test::gradcheck(pad, {test::normal(shape)});
}

TEST_CASE("pad_channels: by hand") {
  Tape tape;
  const Var x(Tensor({2, 1, 2}, std::array<Real, 4>{1, 2, 3, 4}), true);
  const Var y = op::pad_channels(x, 1, 2);
  CHECK(y.shape() == Shape{2, 1, 5});
  CHECK(test::numbers(y.value()) == std::vector<Real>{0, 1, 2, 0, 0, 0, 3, 4, 0, 0});
  const Var w(Tensor({2, 1, 5}, std::array<Real, 10>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  tape.backward(op::sum(op::mul(y, w)));
  CHECK(test::numbers(x.grad()) == std::vector<Real>{2, 3, 7, 8});
}

TEST_CASE("pad_channels: none before or none after") {
  const Var x(Tensor({1, 2}, std::array<Real, 2>{1, 2}));
  CHECK(test::numbers(op::pad_channels(x, 0, 1).value()) == std::vector<Real>{1, 2, 0});
  CHECK(test::numbers(op::pad_channels(x, 1, 0).value()) == std::vector<Real>{0, 1, 2});
  CHECK(test::numbers(op::pad_channels(x, 0, 0).value()) == std::vector<Real>{1, 2});
}

TEST_CASE("pad_channels: attributes") {
  Tape tape(Tape::Records::graph);
  op::pad_channels(Var(Tensor({1, 2}, Real(0))), 4, 5);
  const Attributes attributes = tape.nodes()[0]->attributes();
  CHECK(attributes.get<Index>("before") == 4);
  CHECK(attributes.get<Index>("after") == 5);
}

TEST_CASE("pad_channels: as PyTorch") { test::as_pytorch("pad_channels/both", pad); }

TEST_CASE("pad_channels: same bits for any number of threads") {
  test::same_bits_for_any_threads(pad, {test::normal({1021, 3, 13})});
}

TEST_CASE("pad_channels: what cannot be padded is refused") {
  CHECK_THROWS_WITH_AS(op::pad_channels(Var(Tensor::scalar(1)), 1, 1),
                       "[pad_channels] no channels: got a scalar; expected [..., C]", Error);
  CHECK_THROWS_WITH_AS(op::pad_channels(Var(Tensor({1}, Real(0))), -1, 0),
                       "[pad_channels] impossible padding: got -1 and 0; expected 0 to "
                       "70368744177664",
                       Error);
  constexpr Index most = std::numeric_limits<Index>::max();
  CHECK_THROWS_AS(op::pad_channels(Var(Tensor({3}, Real(0))), most, most), Error);
}

}  // namespace fraqat::pad_channels_test
