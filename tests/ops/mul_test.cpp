#include "tests/support/elementwise.hpp"

namespace fraqat::mul_test {
namespace {

const test::Binary subject{.f = op::mul, .naive = [](double a, double b) { return a * b; }};

}  // namespace

TEST_CASE("mul: values, gradients, threads, errors") { test::check_binary("mul", subject); }

TEST_CASE("mul: as PyTorch") { test::binary_as_pytorch("mul", subject); }

TEST_CASE("mul: by hand") {
  Tape tape;
  const Var a(Tensor({3}, std::array<Real, 3>{1, -2, 3}), true);
  const Var b(Tensor({3}, std::array<Real, 3>{4, 5, -6}), true);
  const Var y = op::mul(a, b);
  CHECK(test::numbers(y.value()) == std::vector<Real>{4, -10, -18});
  tape.backward(op::sum(y));
  CHECK(test::numbers(a.grad()) == std::vector<Real>{4, 5, -6});
  CHECK(test::numbers(b.grad()) == std::vector<Real>{1, -2, 3});
}

TEST_CASE("mul: a single factor collects its gradient") {
  Tape tape;
  const Var a(Tensor({2, 2}, std::array<Real, 4>{1, 2, 3, 4}), true);
  const Var b(Tensor({1}, Real(-2)), true);
  tape.backward(op::sum(op::mul(a, b)));
  CHECK(test::numbers(a.grad()) == std::vector<Real>{-2, -2, -2, -2});
  CHECK(test::numbers(b.grad()) == std::vector<Real>{10});
}

TEST_CASE("mul: a times itself") {
  test::gradcheck([](std::span<const Var> x) { return op::mul(x[0], x[0]); },
                  {test::normal({3, 5})});
}

}  // namespace fraqat::mul_test
