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
  Tensor y({x.dim(0), height, width, x.dim(3)}, Real(0));
  Index at = 0;
  for (Index n = 0; n < x.dim(0); ++n)
    for (Index i = 0; i < height; ++i)
      for (Index j = 0; j < width; ++j)
        for (Index c = 0; c < x.dim(3); ++c, ++at)
          for (Index r = 0; r < o.kernel; ++r)
            for (Index s = 0; s < o.kernel; ++s) {
              const Index h = i * o.stride - o.padding + r, w = j * o.stride - o.padding + s;
              if (h < 0 || h >= x.dim(1) || w < 0 || w >= x.dim(2)) continue;
              y[at] +=
                  x[((n * x.dim(1) + h) * x.dim(2) + w) * x.dim(3) + c] / Real(o.kernel * o.kernel);
            }
  return y;
}

}  // namespace

TEST_CASE("avg_pool2d: gradient") {
  for (const Case& c : cases)
    test::gradcheck([&](std::span<const Var> x) { return op::avg_pool2d(x[0], c.options); },
                    {test::normal(c.x)});
}

TEST_CASE("avg_pool2d: against the naive loop; padding counts as zeros") {
  for (const Case& c : cases) {
    const Tensor x = test::normal(c.x);
    test::check_close(op::avg_pool2d(Var(x), c.options).value(), naive(x, c.options), 1e-5, 1e-6);
  }
}

TEST_CASE("avg_pool2d: by hand") {
  Tape tape;
  const Var x(Tensor({1, 2, 4, 1}, std::array<Real, 8>{1, 2, 5, 6, 3, 6, 7, 2}), true);
  const Var y = op::avg_pool2d(x);
  CHECK(test::numbers(y.value()) == std::vector<Real>{3, 5});
  tape.backward(op::sum(op::mul(y, Var(Tensor({1, 1, 2, 1}, std::array<Real, 2>{4, 8})))));
  CHECK(test::numbers(x.grad()) == std::vector<Real>{1, 1, 2, 2, 1, 1, 2, 2});
}

TEST_CASE("avg_pool2d: attributes") {
  Tape tape(Tape::Records::graph);
  op::avg_pool2d(Var(Tensor({1, 5, 5, 1}, Real(0))), {3, 2, 1});
  const Attributes attributes = tape.nodes()[0]->attributes();
  CHECK(attributes.get<Index>("kernel") == 3);
  CHECK(attributes.get<Index>("stride") == 2);
  CHECK(attributes.get<Index>("padding") == 1);
}

TEST_CASE("avg_pool2d: same bits for any number of threads") {
  test::same_bits_for_any_threads(
      [](std::span<const Var> x) {
        return op::avg_pool2d(x[0], {3, 2, 1});
      },
      {test::normal({13, 19, 23, 7})});
}

TEST_CASE("avg_pool2d: impossible windows are refused") {
  const Var x(Tensor({1, 3, 4, 1}, Real(0)));
  CHECK_THROWS_WITH_AS(op::avg_pool2d(Var(Tensor({3, 4}, Real(0)))),
                       "[avg_pool2d] no image: got x [3, 4]; expected x[N, H, W, C]", Error);
  CHECK_THROWS_WITH_AS(op::avg_pool2d(x, {0, 1, 0}),
                       "[avg_pool2d] impossible window: got kernel 0, stride 1, padding 0; "
                       "expected kernel > 0, stride > 0 and 0 <= padding < kernel",
                       Error);
  CHECK_THROWS_AS(op::avg_pool2d(x, {2, 0, 0}), Error);
  CHECK_THROWS_AS(op::avg_pool2d(x, {2, 2, 2}), Error);
  CHECK_THROWS_AS(op::avg_pool2d(x, {2, 2, -1}), Error);
  CHECK_THROWS_WITH_AS(op::avg_pool2d(x, {4, 1, 0}),
                       "[avg_pool2d] window larger than the image: got kernel 4, padding 0, x [1, "
                       "3, 4, 1]; expected kernel <= H + 2 padding and W + 2 padding",
                       Error);
}
