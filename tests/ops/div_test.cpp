#include <cmath>

#include "tests/support/elementwise.hpp"

namespace fraqat::div_test {
namespace {

const test::Binary subject{
    .f = op::div,
    .naive = [](double a, double b) { return a / b; },
    .b = [](const Shape& shape,
            std::uint64_t seed) { return test::uniform(shape, Real(0.5), 3, seed); },
};

}  // namespace

TEST_CASE("div: values, gradients, threads, errors") { test::check_binary("div", subject); }

TEST_CASE("div: as PyTorch") { test::binary_as_pytorch("div", subject); }

TEST_CASE("div: by hand, and by zero") {
  Tape tape;
  const Var a(Tensor({4}, std::array<Real, 4>{1, -6, 3, 0}), true);
  const Var b(Tensor({4}, std::array<Real, 4>{4, 2, 0, 0}), true);
  const Var y = op::div(a, b);
  CHECK(y.value()[0] == Real(0.25));
  CHECK(y.value()[1] == -3);
  CHECK(std::isinf(y.value()[2]));
  CHECK(std::isnan(y.value()[3]));
  tape.backward(op::sum(y));
  CHECK(a.grad()[0] == Real(0.25));
  CHECK(b.grad()[0] == Real(-0.0625));
  CHECK(b.grad()[1] == Real(1.5));
}

}  // namespace fraqat::div_test
