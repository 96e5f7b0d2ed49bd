#include <cmath>

#include "tests/support/golden.hpp"

namespace fraqat::exp_test {
namespace {

Var power(std::span<const Var> x) { return op::exp(x[0]); }

}  // namespace

TEST_CASE("exp: gradient") {
  for (const Shape& shape : test::odd_shapes) test::gradcheck(power, {test::normal(shape)});
}

TEST_CASE("exp: values, and the derivative is the value") {
  Tape tape;
  const Var x(Tensor({4}, std::array<Real, 4>{0, 1, -1, 10}), true);
  const Var y = op::exp(x);
  test::check_close(
      y.value(),
      Tensor({4}, std::array<Real, 4>{1, Real(2.718281828459045), Real(0.36787944117144233),
                                      Real(22026.465794806718)}),
      1e-6, 0);
  tape.backward(op::sum(y));
  CHECK(test::numbers(x.grad()) == test::numbers(y.value()));
}

TEST_CASE("exp: as PyTorch") { test::as_pytorch("exp/all", power, 1e-6); }

TEST_CASE("exp: same bits for any number of threads") {
  test::same_bits_for_any_threads(power, {test::normal({37, 1021})});
}

}  // namespace fraqat::exp_test
