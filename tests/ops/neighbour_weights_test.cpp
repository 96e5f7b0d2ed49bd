#include "quant/ops.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/op_test.hpp"

namespace fraqat::neighbour_weights_test {

using quant::Widths;

namespace {

std::vector<Real> weights(Real bits, const Widths& widths) {
  return test::numbers(op::neighbour_weights(Var(Tensor({1}, bits)), widths).value());
}

}  // namespace

TEST_CASE("neighbour_weights: gradient between candidates, also unevenly spaced") {
  const std::array<int, 3> uneven{2, 4, 8};
  for (const Real b : {Real(2.25), Real(3.5), Real(4.75), Real(7.9)})
    for (const Widths& widths : {Widths::range(2, 8), Widths(uneven)})
      test::gradcheck(
          [&](std::span<const Var> in) {
            return op::mul(op::neighbour_weights(in[0], widths),
                           Var(test::normal({widths.count()}, 5)));
          },
          {Tensor({1}, b)});
}

TEST_CASE("neighbour_weights: rows with a width of their own, each by itself") {
  const Tensor bits({3}, std::array<Real, 3>{Real(2.25), Real(5.5), 8});
  const Widths widths = Widths::range(2, 8);
  const Tensor p = op::neighbour_weights(Var(bits), widths).value();
  CHECK(p.shape() == Shape({3, 7}));
  for (Index row = 0; row < 3; ++row) {
    const std::vector<Real> alone = weights(bits[row], widths);
    for (Index j = 0; j < 7; ++j) CHECK(p[row * 7 + j] == alone[std::size_t(j)]);
  }
  test::gradcheck(
      [&](std::span<const Var> in) {
        return op::mul(op::neighbour_weights(in[0], widths), Var(test::normal({3, 7}, 5)));
      },
      {Tensor({3}, std::array<Real, 3>{Real(2.25), Real(5.5), Real(7.75)})});
}

TEST_CASE("neighbour_weights: the share of the way from the lower to the upper") {
  const std::array<int, 3> uneven{2, 4, 8};
  CHECK(weights(Real(2.25), Widths::range(2, 4)) == std::vector<Real>{Real(0.75), Real(0.25), 0});
  CHECK(weights(5, Widths(uneven)) == std::vector<Real>{0, Real(0.75), Real(0.25)});
  CHECK(weights(3, Widths::range(2, 4)) == std::vector<Real>{0, 1, 0});
  CHECK(weights(4, Widths::range(2, 4)) == std::vector<Real>{0, 0, 1});
  CHECK(weights(Real(1.5), Widths::range(2, 4)) == std::vector<Real>{1, 0, 0});
  CHECK(weights(9, Widths::range(2, 4)) == std::vector<Real>{0, 0, 1});
}

TEST_CASE("neighbour_weights: at a candidate the gradient does not vanish") {
  for (const Real b : {2, 3, 4}) {
    Tape tape;
    const Var bits(Tensor({1}, b), true);
    const Var p = op::neighbour_weights(bits, Widths::range(2, 4));
    const Tensor gains({3}, std::array<Real, 3>{1, 10, 100});
    tape.backward(op::sum(op::mul(p, Var(gains))));
    CHECK(bits.grad().item() == (b == 2 ? 9 : 90));
  }
}

TEST_CASE("neighbour_weights: same bits for any number of threads") {
  test::same_bits_for_any_threads(
      [](std::span<const Var> in) { return op::neighbour_weights(in[0], Widths::range(2, 8)); },
      {Tensor({1}, Real(3.3))});
}

TEST_CASE("neighbour_weights: nothing to choose from is refused") {
  CHECK_THROWS_WITH_AS(op::neighbour_weights(Var(Tensor({1}, Real(4))), Widths::one(4)),
                       "[neighbour_weights] nothing to choose from: got 1 candidate width; "
                       "expected at least 2",
                       Error);
  CHECK_THROWS_WITH_AS(op::neighbour_weights(Var(Tensor({2, 1}, Real(4))), Widths::range(2, 3)),
                       "[neighbour_weights] one bit-width for each row wanted: got shape [2, 1]; "
                       "expected [R], or one element",
                       Error);
}

TEST_CASE("neighbour_weights: as PyTorch") {
  const std::array<int, 5> widths{2, 3, 4, 6, 8};
  for (const char* golden : {"neighbour_weights/between", "neighbour_weights/at-one"})
    test::as_pytorch(golden, [&](std::span<const Var> in) {
      return op::neighbour_weights(in[0], Widths(widths));
    });
}

}  // namespace fraqat::neighbour_weights_test
