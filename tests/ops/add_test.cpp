#include "tests/support/elementwise.hpp"

namespace fraqat::add_test {
namespace {

const test::Binary subject{.f = op::add, .naive = [](double a, double b) { return a + b; }};

}  // namespace

TEST_CASE("add: values, gradients, threads, errors") { test::check_binary("add", subject); }

TEST_CASE("add: as PyTorch") { test::binary_as_pytorch("add", subject); }

TEST_CASE("add: by hand") {
  Tape tape;
  const Var a(Tensor({3}, std::array<Real, 3>{1, -2, 3}), true);
  const Var b(Tensor({1}, Real(10)), true);
  const Var y = op::add(a, b);
  CHECK(test::numbers(y.value()) == std::vector<Real>{11, 8, 13});
  tape.backward(op::sum(y));
  CHECK(test::numbers(a.grad()) == std::vector<Real>{1, 1, 1});
  CHECK(test::numbers(b.grad()) == std::vector<Real>{3});
}

TEST_CASE("add: both gradients are one storage, and stay right") {
  Tape tape;
  const Var a(Tensor({2}, Real(1)), true), b(Tensor({2}, Real(1)), true);
  const Var y = op::add(a, b);
  const Var z = op::add(y, a);  // a collects twice, b must not notice
  tape.backward(op::sum(z));
  CHECK(test::numbers(a.grad()) == std::vector<Real>{2, 2});
  CHECK(test::numbers(b.grad()) == std::vector<Real>{1, 1});
}

TEST_CASE("add: a to itself, twice") {
  test::gradcheck(
      [](std::span<const Var> x) { return op::add(op::add(x[0], x[0]), op::add(x[0], x[0])); },
      {test::normal({3, 5})});
}

}  // namespace fraqat::add_test
