#include <cmath>

#include "tests/support/golden.hpp"

namespace fraqat::adaptive_avg_pool2d_test {
namespace {

struct Case {
  Shape x;
  Index height, width;

  Var operator()(std::span<const Var> v) const {
    return op::adaptive_avg_pool2d(v[0], height, width);
  }
};

// Smaller, as large as the image, larger than it; windows that overlap.
const std::vector<Case> cases = {{{1, 1, 1, 1}, 1, 1}, {{2, 4, 6, 3}, 2, 3}, {{1, 5, 7, 2}, 3, 4},
                                 {{2, 3, 5, 1}, 3, 5}, {{1, 2, 3, 5}, 5, 4}, {{2, 5, 4, 17}, 1, 1}};

Tensor naive(const Tensor& x, Index height, Index width) {
  Tensor y({x.dim(0), height, width, x.dim(3)});
  const auto first = [](Index i, Index n, Index size) {
    return Index(std::floor(double(i) * double(size) / double(n)));
  };
  const auto last = [](Index i, Index n, Index size) {
    return Index(std::ceil(double(i + 1) * double(size) / double(n)));
  };
  Index at = 0;
  for (Index n = 0; n < x.dim(0); ++n)
    for (Index i = 0; i < height; ++i)
      for (Index j = 0; j < width; ++j)
        for (Index c = 0; c < x.dim(3); ++c) {
          double sum = 0, count = 0;
          for (Index h = first(i, height, x.dim(1)); h < last(i, height, x.dim(1)); ++h)
            for (Index w = first(j, width, x.dim(2)); w < last(j, width, x.dim(2)); ++w, ++count)
              sum += double(x[((n * x.dim(1) + h) * x.dim(2) + w) * x.dim(3) + c]);
          y[at++] = Real(sum / count);
        }
  return y;
}

}  // namespace

TEST_CASE("adaptive_avg_pool2d: gradient; against the naive loop") {
  for (const Case& c : cases) {
    const Tensor x = test::normal(c.x);
    test::gradcheck(c, {x});
    test::check_close(op::adaptive_avg_pool2d(Var(x), c.height, c.width).value(),
                      naive(x, c.height, c.width), 1e-5, 1e-6);
  }
}

TEST_CASE("adaptive_avg_pool2d: to one pixel it is global_avg_pool") {
  const Var x(test::normal({3, 5, 7, 2}));
  test::check_close(op::flatten(op::adaptive_avg_pool2d(x, 1, 1)).value(),
                    op::global_avg_pool(x).value(), 1e-6, 1e-7);
}

TEST_CASE("adaptive_avg_pool2d: attributes") {
  Tape tape(Tape::Records::graph);
  op::adaptive_avg_pool2d(Var(Tensor({1, 5, 5, 1}, Real(0))), 2, 3);
  CHECK(tape.nodes()[0]->attributes().get<Index>("height") == 2);
  CHECK(tape.nodes()[0]->attributes().get<Index>("width") == 3);
}

TEST_CASE("adaptive_avg_pool2d: same bits for any number of threads") {
  test::same_bits_for_any_threads(Case{{}, 5, 6}, {test::normal({13, 19, 23, 7})});
}

TEST_CASE("adaptive_avg_pool2d: as PyTorch") {
  test::as_pytorch("adaptive_avg_pool2d/uneven", Case{{}, 3, 4});
}

TEST_CASE("adaptive_avg_pool2d: impossible sizes are refused") {
  CHECK_THROWS_WITH_AS(op::adaptive_avg_pool2d(Var(Tensor({3, 4}, Real(0))), 1, 1),
                       "[adaptive_avg_pool2d] no image: got x [3, 4]; expected x[N, H, W, C]",
                       Error);
  CHECK_THROWS_WITH_AS(op::adaptive_avg_pool2d(Var(Tensor({1, 3, 4, 1}, Real(0))), 0, 2),
                       "[adaptive_avg_pool2d] impossible size: got 0 x 2; expected 1 x 1 or more",
                       Error);
}

}  // namespace fraqat::adaptive_avg_pool2d_test
