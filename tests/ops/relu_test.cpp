#include <cmath>
#include <limits>

#include "tests/support/golden.hpp"

namespace fraqat::relu_test {
namespace {

Var relu(std::span<const Var> x) { return op::relu(x[0]); }

}  // namespace

TEST_CASE("relu: gradient, the kink avoided") {
  for (const Shape& shape : test::odd_shapes)
    test::gradcheck(relu, {test::away_from({0}, test::normal(shape))});
}

TEST_CASE("relu: by hand; no gradient at zero") {
  Tape tape;
  const Var x(Tensor({5}, std::array<Real, 5>{-2, -0.0, 0, 0.5, 3}), true);
  const Var y = op::relu(x);
  CHECK(test::numbers(y.value()) == std::vector<Real>{0, 0, 0, 0.5, 3});
  CHECK(!std::signbit(y.value()[1]));
  tape.backward(op::sum(y));
  CHECK(test::numbers(x.grad()) == std::vector<Real>{0, 0, 0, 1, 1});
}

TEST_CASE("relu: a NaN is not hidden") {
  const Var x(Tensor({1}, std::numeric_limits<Real>::quiet_NaN()));
  CHECK(std::isnan(op::relu(x).value()[0]));
}

TEST_CASE("relu: as PyTorch") { test::as_pytorch("relu/all", relu, 1e-6); }

TEST_CASE("relu: same bits for any number of threads") {
  test::same_bits_for_any_threads(relu, {test::normal({37, 1021})});
}

}  // namespace fraqat::relu_test
