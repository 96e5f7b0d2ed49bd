#include <cmath>

#include "quant/ops.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/op_test.hpp"

namespace fraqat::level_scale_test {

using quant::Coding;
using quant::Widths;

namespace {

constexpr Coding codings[] = {Coding::symmetric, Coding::twos, Coding::natural};

test::Function at(Coding coding, const Widths& widths) {
  return [=](std::span<const Var> in) { return op::level_scale(in[0], in[1], coding, widths); };
}

}  // namespace

TEST_CASE("level_scale: gradient to b and to the scales of both neighbours") {
  const std::array<int, 3> uneven{2, 4, 8};
  for (const Coding coding : codings)
    for (const Real b : {Real(2.25), Real(3.5), Real(4.75), Real(7.9)})
      for (const Widths& widths : {Widths::range(2, 8), Widths(uneven)})
        for (const Index rows : {1, 3})
          test::gradcheck(at(coding, widths),
                          {Tensor({1}, b), test::uniform({widths.count(), rows}, Real(0.2), 1)});
}

TEST_CASE("level_scale: rows with a width of their own, each by itself") {
  const Tensor bits({3}, std::array<Real, 3>{Real(2.25), Real(5.5), Real(7.75)});
  const Tensor scales = test::uniform({7, 3}, Real(0.2), 1);
  for (const Coding coding : codings) {
    const auto function = at(coding, Widths::range(2, 8));
    test::gradcheck(function, {bits, scales});
    const Tensor together = function(std::vector{Var(bits), Var(scales)}).value();
    for (Index r = 0; r < 3; ++r)
      CHECK(together[r] ==
            function(std::vector{Var(Tensor({1}, bits[r])), Var(scales)}).value()[r]);
  }
}

TEST_CASE("level_scale: at a candidate it is that candidate's scale, to the bit") {
  for (const Coding coding : codings) {
    const Tensor scales = test::uniform({7, 5}, Real(0.01), 3);
    for (int b = 2; b <= 8; ++b) {
      const Var s =
          op::level_scale(Var(Tensor({1}, Real(b))), Var(scales), coding, Widths::range(2, 8));
      for (Index r = 0; r < 5; ++r) CHECK(s.value()[r] == scales[(b - 2) * 5 + r]);
    }
  }
}

TEST_CASE("level_scale: between candidates the end of the range goes on a log scale") {
  // Symmetric ends: 1 step of 0.8 at 2 bits, 3 steps of 0.4 at 3; at 2.5 bits 2^1.5 - 1 steps.
  const Tensor scales({2, 1}, std::array<Real, 2>{Real(0.8), Real(0.4)});
  const Var s = op::level_scale(Var(Tensor({1}, Real(2.5))), Var(scales), Coding::symmetric,
                                Widths::range(2, 3));
  CHECK(double(s.value().item()) ==
        doctest::Approx(std::sqrt(0.8 * 1.2) / (std::pow(2.0, 1.5) - 1)).epsilon(1e-6));
}

TEST_CASE("level_scale: same bits for any number of threads") {
  test::same_bits_for_any_threads(at(Coding::natural, Widths::range(2, 8)),
                                  {Tensor({1}, Real(3.3)), test::uniform({7, 37}, Real(0.1), 1)});
}

TEST_CASE("level_scale: what does not fit is refused") {
  const auto call = [](const Shape& bits, const Tensor& scales) {
    op::level_scale(Var(Tensor(bits, Real(4))), Var(scales), Coding::natural, Widths::range(2, 8));
  };
  CHECK_THROWS_WITH_AS(call({2}, Tensor({7, 1}, Real(1))),
                       "[level_scale] one bit-width wanted: got shape [2]; expected [1]", Error);
  CHECK_THROWS_WITH_AS(call({1}, Tensor({6, 1}, Real(1))),
                       "[level_scale] one range for each width and row: got [6, 1]; expected [7, "
                       "rows]",
                       Error);
  CHECK_THROWS_WITH_AS(call({1}, Tensor({7, 1}, Real(0))),
                       "[level_scale] a range collapsed: got scale 0; expected a positive number; "
                       "try a smaller rate or clip, a smaller range rate, or another range policy",
                       Error);
}

TEST_CASE("level_scale: as PyTorch") {
  const std::array<int, 5> widths{2, 3, 4, 6, 8};
  test::as_pytorch("level_scale/all", [&](std::span<const Var> in) {
    return op::level_scale(in[0], in[1], Coding::symmetric, Widths(widths));
  });
}

}  // namespace fraqat::level_scale_test
