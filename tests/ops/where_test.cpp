#include <limits>

#include "tests/support/elementwise.hpp"

namespace fraqat::where_test {
namespace {

// 0 and 1 in turn, of another period than any extent.
Tensor condition(const Shape& shape) {
  Tensor c(shape);
  for (Index i = 0; i < c.size(); ++i) c[i] = Real(i % 7 % 2);
  return c;
}

test::Function choose(const Tensor& c) {
  return [c](std::span<const Var> x) { return op::where(c, x[0], x[1]); };
}

struct Pattern {
  Shape condition, a, b, y;
};

}  // namespace

TEST_CASE("where: values and gradients, every operand stretched") {
  const Pattern patterns[] = {
      {{}, {}, {}, {}},
      {{3, 5}, {3, 5}, {3, 5}, {3, 5}},
      {{3, 5}, {}, {1}, {3, 5}},
      {{9}, {4, 9}, {4, 1}, {4, 9}},
      {{4, 1}, {9}, {1, 1}, {4, 9}},
      {{1}, {4, 1}, {1, 9}, {4, 9}},
      {{2, 1, 4}, {3, 1}, {2, 1, 1}, {2, 3, 4}},
      {{1, 2, 1, 2, 1}, {2, 1, 3, 1, 2}, {2}, {2, 2, 3, 2, 2}},
  };
  for (const Pattern& p : patterns) {
    const Tensor c = condition(p.condition), a = test::normal(p.a, 1), b = test::normal(p.b, 2);
    const Tensor y = op::where(c, Var(a), Var(b)).value();
    REQUIRE(y.shape() == p.y);
    for (Index i = 0; i < y.size(); ++i)
      CHECK(y[i] == test::stretched_at(test::stretched_at(c, p.y, i) != 0 ? a : b, p.y, i));
    test::gradcheck(choose(c), {a, b});
  }
}

TEST_CASE("where: the other operand's NaN does not leak") {
  Tape tape;
  const Var a(Tensor({2}, std::array<Real, 2>{1, std::numeric_limits<Real>::quiet_NaN()}), true);
  const Var b(Tensor({2}, Real(5)), true);
  const Var y = op::where(Tensor({2}, std::array<Real, 2>{-3, 0}), a, b);
  CHECK(test::numbers(y.value()) == std::vector<Real>{1, 5});
  tape.backward(op::sum(y));
  CHECK(test::numbers(a.grad()) == std::vector<Real>{1, 0});
  CHECK(test::numbers(b.grad()) == std::vector<Real>{0, 1});
}

TEST_CASE("where: as PyTorch") {
  for (const char* golden : {"where/equal", "where/stretched"})
    test::as_pytorch(golden,
                     [](std::span<const Var> x) { return op::where(x[0].value(), x[1], x[2]); });
}

TEST_CASE("where: same bits for any number of threads") {
  test::same_bits_for_any_threads(choose(condition({37, 1})),
                                  {test::normal({37, 1021}, 1), test::normal({1021}, 2)});
}

TEST_CASE("where: other shapes are refused") {
  CHECK_THROWS_WITH_AS(
      choose(condition({2, 3}))(std::vector{Var(Tensor({2, 1})), Var(Tensor({2}))}),
      "[where] shapes do not broadcast: got [2, 3] and [2]; expected extents that, "
      "aligned at the end, are equal or 1",
      Error);
  const Var one(Tensor({1}, Real(1)));
  CHECK_THROWS_WITH_AS(
      op::where(Tensor(Shape{0}), one, one),
      "[where] an empty tensor: got a condition of [0]; expected one element at least", Error);
}

}  // namespace fraqat::where_test
