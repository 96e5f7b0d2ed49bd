#include <cmath>
#include <limits>

#include "tests/support/op_test.hpp"

using namespace fraqat;

namespace {

struct Case {
  Shape x;
  op::Pool2dOptions options;
};

const std::vector<Case> cases = {{{1, 1, 1, 1}, {1, 1, 0}}, {{2, 4, 6, 3}, {2, 2, 0}},
                                 {{1, 5, 7, 2}, {3, 2, 1}}, {{2, 5, 5, 1}, {2, 1, 0}},
                                 {{1, 7, 4, 5}, {3, 1, 2}}, {{2, 6, 5, 4}, {1, 2, 0}},
                                 {{1, 3, 3, 17}, {3, 3, 0}}};

Tensor naive(const Tensor& x, const op::Pool2dOptions& o) {
  const Index height = (x.dim(1) + 2 * o.padding - o.kernel) / o.stride + 1;
  const Index width = (x.dim(2) + 2 * o.padding - o.kernel) / o.stride + 1;
  Tensor y({x.dim(0), height, width, x.dim(3)}, -std::numeric_limits<Real>::infinity());
  Index at = 0;
  for (Index n = 0; n < x.dim(0); ++n)
    for (Index i = 0; i < height; ++i)
      for (Index j = 0; j < width; ++j)
        for (Index c = 0; c < x.dim(3); ++c, ++at)
          for (Index r = 0; r < o.kernel; ++r)
            for (Index s = 0; s < o.kernel; ++s) {
              const Index h = i * o.stride - o.padding + r, w = j * o.stride - o.padding + s;
              if (h < 0 || h >= x.dim(1) || w < 0 || w >= x.dim(2)) continue;
              y[at] = std::max(y[at], x[((n * x.dim(1) + h) * x.dim(2) + w) * x.dim(3) + c]);
            }
  return y;
}

}  // namespace

TEST_CASE("max_pool2d: gradient, ties avoided") {
  for (const Case& c : cases)
    test::gradcheck([&](std::span<const Var> x) { return op::max_pool2d(x[0], c.options); },
                    {test::distinct(c.x)});
}

TEST_CASE("max_pool2d: against the naive loop; padding never wins") {
  for (const Case& c : cases) {
    Tensor x = test::normal(c.x);
    for (Real& v : x.span()) v -= 5;  // all negative
    const Tensor y = op::max_pool2d(Var(x), c.options).value(), expected = naive(x, c.options);
    CHECK(y.shape() == expected.shape());
    CHECK(test::numbers(y) == test::numbers(expected));
  }
}

TEST_CASE("max_pool2d: of equal elements the first wins") {
  Tape tape;
  const Var x(Tensor({1, 2, 4, 1}, std::array<Real, 8>{3, 3, 1, 1, 3, 3, 0, 1}), true);
  tape.backward(op::sum(op::max_pool2d(x)));
  CHECK(test::numbers(x.grad()) == std::vector<Real>{1, 0, 1, 0, 0, 0, 0, 0});
}

TEST_CASE("max_pool2d: the first wins in windows that overlap, too") {
  Tape tape;
  const Var x(Tensor({1, 2, 3, 1}, Real(3)), true);
  tape.backward(op::sum(op::max_pool2d(x, {2, 1, 0})));
  CHECK(test::numbers(x.grad()) == std::vector<Real>{1, 1, 0, 0, 0, 0});
}

TEST_CASE("max_pool2d: overlapping windows add their gradients") {
  Tape tape;
  const Var x(Tensor({1, 1, 3, 1}, std::array<Real, 3>{0, 9, 1}), true);
  tape.backward(op::sum(op::max_pool2d(x, {3, 1, 1})));  // all three windows see the 9
  CHECK(test::numbers(x.grad()) == std::vector<Real>{0, 3, 0});
}

TEST_CASE("max_pool2d: a NaN wins wherever it stands") {
  for (const Index at : {0, 1, 2, 3}) {
    Tensor x({1, 2, 2, 1}, Real(1));
    x[at] = std::numeric_limits<Real>::quiet_NaN();
    CHECK(std::isnan(op::max_pool2d(Var(x)).value()[0]));
  }
}

TEST_CASE("max_pool2d: attributes") {
  Tape tape(Tape::Records::graph);
  op::max_pool2d(Var(Tensor({1, 5, 5, 1}, Real(0))), {3, 2, 1});
  const Attributes attributes = tape.nodes()[0]->attributes();
  CHECK(attributes.get<Index>("kernel") == 3);
  CHECK(attributes.get<Index>("stride") == 2);
  CHECK(attributes.get<Index>("padding") == 1);
}

TEST_CASE("max_pool2d: same bits for any number of threads") {
  test::same_bits_for_any_threads(
      [](std::span<const Var> x) {
        return op::max_pool2d(x[0], {3, 2, 1});
      },
      {test::normal({13, 19, 23, 7})});
}

TEST_CASE("max_pool2d: impossible windows are refused") {
  const Var x(Tensor({1, 3, 4, 1}, Real(0)));
  CHECK_THROWS_WITH_AS(op::max_pool2d(Var(Tensor({3, 4}, Real(0)))),
                       "[max_pool2d] no image: got x [3, 4]; expected x[N, H, W, C]", Error);
  CHECK_THROWS_WITH_AS(op::max_pool2d(x, {0, 1, 0}),
                       "[max_pool2d] impossible window: got kernel 0, stride 1, padding 0; "
                       "expected kernel > 0, stride > 0 and 0 <= padding < kernel",
                       Error);
  CHECK_THROWS_AS(op::max_pool2d(x, {2, 0, 0}), Error);
  CHECK_THROWS_AS(op::max_pool2d(x, {2, 2, 2}), Error);
  CHECK_THROWS_AS(op::max_pool2d(x, {2, 2, -1}), Error);
  CHECK_THROWS_WITH_AS(op::max_pool2d(x, {4, 1, 0}),
                       "[max_pool2d] window larger than the image: got kernel 4, padding 0, x [1, "
                       "3, 4, 1]; expected kernel <= H + 2 padding and W + 2 padding",
                       Error);
}
