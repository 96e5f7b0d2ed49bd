#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/elementwise.hpp"

namespace fraqat::minimum_test {
namespace {

const test::Binary subject{
    .f = op::minimum,
    .naive = [](double a, double b) { return std::min(a, b); },
    .a = [](const Shape& shape, std::uint64_t seed) { return test::distinct(shape, seed); },
    // Between those of a: never equal, nor near.
    .b =
        [](const Shape& shape, std::uint64_t seed) {
          Tensor b = test::distinct(shape, seed);
          for (Real& v : b.span()) v += Real(0.03125);
          return b;
        },
};

}  // namespace

TEST_CASE("minimum: values, gradients, threads, errors") { test::check_binary("minimum", subject); }

TEST_CASE("minimum: as PyTorch") { test::binary_as_pytorch("minimum", subject); }

TEST_CASE("minimum: equal operands share the gradient") {
  Tape tape;
  const Var a(Tensor({3}, std::array<Real, 3>{1, 2, 3}), true);
  const Var b(Tensor({3}, std::array<Real, 3>{3, 2, 1}), true);
  const Var y = op::minimum(a, b);
  CHECK(test::numbers(y.value()) == std::vector<Real>{1, 2, 1});
  tape.backward(op::sum(y));
  CHECK(test::numbers(a.grad()) == std::vector<Real>{1, 0.5, 0});
  CHECK(test::numbers(b.grad()) == std::vector<Real>{0, 0.5, 1});
}

TEST_CASE("minimum: a NaN is not hidden") {
  const Var nan(Tensor({1}, std::numeric_limits<Real>::quiet_NaN())), one(Tensor({1}, Real(1)));
  CHECK(std::isnan(op::minimum(nan, one).value()[0]));
  CHECK(std::isnan(op::minimum(one, nan).value()[0]));
  for (const bool first : {true, false}) {  // the gradient is all of the winner's
    const Var a(nan.value(), true), b(one.value(), true);
    Tape tape;
    tape.backward(op::sum(first ? op::minimum(a, b) : op::minimum(b, a)));
    CHECK(a.grad()[0] == 1);
    CHECK(b.grad()[0] == 0);
  }
}

}  // namespace fraqat::minimum_test
