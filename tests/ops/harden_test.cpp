#include "quant/ops.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/op_test.hpp"

namespace fraqat::harden_test {

TEST_CASE("harden: one-hot forward, the gradient passes straight through") {
  for (const Index index : {0, 2, 4})
    test::surrogate_check(
        "harden", [=](std::span<const Var> in) { return op::harden(in[0], index); },
        {test::uniform({5}, 0, 1)},
        [](std::span<const Tensor>, const Tensor& dy) { return std::vector<Tensor>{dy}; });
  CHECK(test::numbers(op::harden(Var(test::uniform({3}, 0, 1)), 1).value()) ==
        std::vector<Real>{0, 1, 0});
}

TEST_CASE("harden: rows with a position of their own") {
  const Tensor index({3}, std::array<Real, 3>{2, 0, 1});
  test::surrogate_check(
      "harden", [&](std::span<const Var> in) { return op::harden(in[0], index); },
      {test::uniform({3, 4}, 0, 1)},
      [](std::span<const Tensor>, const Tensor& dy) { return std::vector<Tensor>{dy}; });
  CHECK(test::numbers(op::harden(Var(test::uniform({3, 3}, 0, 1)), index).value()) ==
        std::vector<Real>{0, 0, 1, 1, 0, 0, 0, 1, 0});
}

TEST_CASE("harden: same bits for any number of threads") {
  test::same_bits_for_any_threads([](std::span<const Var> in) { return op::harden(in[0], 3); },
                                  {test::uniform({7}, 0, 1)});
}

TEST_CASE("harden: a position outside is refused") {
  CHECK_THROWS_WITH_AS(op::harden(Var(Tensor({3}, Real(0))), 3),
                       "[harden] no such candidate: got 3 of p [3]; expected a vector and a "
                       "position in it",
                       Error);
  CHECK_THROWS_AS(op::harden(Var(Tensor({3, 1}, Real(0))), 0), Error);
  const Var rows(Tensor({2, 3}, Real(0)));
  CHECK_THROWS_WITH_AS(op::harden(rows, Tensor({2}, Real(3))),
                       "[harden] no such candidate: got 3 of p [2, 3]; expected a position in its "
                       "rows",
                       Error);
  CHECK_THROWS_WITH_AS(
      op::harden(rows, Tensor({2}, Real(1.5))),
      "[harden] no such candidate: got 1.5 of p [2, 3]; expected a position in its "
      "rows",
      Error);
  CHECK_THROWS_WITH_AS(op::harden(rows, Tensor({3}, Real(0))),
                       "[harden] one position for each row: got [3] of p [2, 3]; expected [R] of "
                       "[R, J]",
                       Error);
}

TEST_CASE("harden: as PyTorch") {
  test::as_pytorch("harden/all", [](std::span<const Var> in) { return op::harden(in[0], 2); });
}

}  // namespace fraqat::harden_test
