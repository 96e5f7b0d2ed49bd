#include "tests/support/elementwise.hpp"

namespace fraqat::sub_test {
namespace {

const test::Binary subject{.f = op::sub, .naive = [](double a, double b) { return a - b; }};

}  // namespace

TEST_CASE("sub: values, gradients, threads, errors") { test::check_binary("sub", subject); }

TEST_CASE("sub: as PyTorch") { test::binary_as_pytorch("sub", subject); }

TEST_CASE("sub: from itself") {
  Tape tape;
  const Var x(Tensor({3}, Real(2)), true);
  const Var y = op::sub(x, x);
  CHECK(test::numbers(y.value()) == std::vector<Real>{0, 0, 0});
  tape.backward(op::sum(y));
  CHECK(test::numbers(x.grad()) == std::vector<Real>{0, 0, 0});
}

}  // namespace fraqat::sub_test
