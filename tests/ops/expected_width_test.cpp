#include "quant/ops.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/op_test.hpp"

namespace fraqat::expected_width_test {

using quant::Widths;

TEST_CASE("expected_width: gradient") {
  for (const Widths& widths : {Widths::range(2, 8), Widths::one(4)})
    for (const Shape& shape : {Shape{widths.count()}, Shape{3, widths.count()}})
      test::gradcheck([&](std::span<const Var> in) { return op::expected_width(in[0], widths); },
                      {test::uniform(shape, 0, 1)});
}

TEST_CASE("expected_width: sum of p_j width_j") {
  const Tensor p({3}, std::array<Real, 3>{Real(0.25), Real(0.25), Real(0.5)});
  CHECK(op::expected_width(Var(p), Widths::range(2, 4)).value().item() == Real(3.25));
  const Tensor rows({2, 3}, std::array<Real, 6>{0, 0, 1, Real(0.5), Real(0.5), 0});
  CHECK(test::numbers(op::expected_width(Var(rows), Widths::range(2, 4)).value()) ==
        std::vector<Real>{4, Real(2.5)});
}

TEST_CASE("expected_width: same bits for any number of threads") {
  test::same_bits_for_any_threads(
      [](std::span<const Var> in) { return op::expected_width(in[0], Widths::range(2, 8)); },
      {test::uniform({7}, 0, 1)});
}

TEST_CASE("expected_width: a wrong number of weights is refused") {
  CHECK_THROWS_WITH_AS(op::expected_width(Var(Tensor({2}, Real(0))), Widths::range(2, 4)),
                       "[expected_width] one weight for each width: got [2]; expected [3]", Error);
}

TEST_CASE("expected_width: as PyTorch") {
  const std::array<int, 5> widths{2, 3, 4, 6, 8};
  test::as_pytorch("expected_width/all", [&](std::span<const Var> in) {
    return op::expected_width(in[0], Widths(widths));
  });
}

}  // namespace fraqat::expected_width_test
