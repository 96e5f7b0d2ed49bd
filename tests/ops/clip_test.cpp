#include "tests/support/golden.hpp"

namespace fraqat::clip_test {

TEST_CASE("clip: gradient, kinks avoided") {
  for (const Shape& shape : test::odd_shapes)
    test::gradcheck([](std::span<const Var> x) { return op::clip(x[0], Real(-0.5), Real(0.7)); },
                    {test::away_from({Real(-0.5), Real(0.7)}, test::normal(shape))});
}

TEST_CASE("clip: both ends belong to the interval") {
  Tape tape;
  const Var x(Tensor({4}, std::array<Real, 4>{-2, -1, 1, 3}), true);
  const Var y = op::clip(x, -1, 1);
  CHECK(test::numbers(y.value()) == std::vector<Real>{-1, -1, 1, 1});
  tape.backward(op::sum(y));
  CHECK(test::numbers(x.grad()) == std::vector<Real>{0, 1, 1, 0});
}

TEST_CASE("clip: as PyTorch") {
  test::as_pytorch("clip/all",
                   [](std::span<const Var> x) { return op::clip(x[0], Real(-0.5), Real(0.75)); });
}

TEST_CASE("clip: same bits for any number of threads") {
  test::same_bits_for_any_threads(
      [](std::span<const Var> x) { return op::clip(x[0], Real(-0.5), Real(0.7)); },
      {test::normal({37, 1021})});
}

TEST_CASE("clip: an empty interval is refused") {
  CHECK_THROWS_WITH_AS(op::clip(Var(Tensor({1}, Real(0))), 1, 0),
                       "[clip] empty interval: got low = 1, high = 0; expected low <= high", Error);
}

}  // namespace fraqat::clip_test
