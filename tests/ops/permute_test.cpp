#include "tests/support/golden.hpp"

namespace fraqat::permute_test {
namespace {

using Axes = std::vector<int>;

// y[i] = x[j] with j[axes[d]] = i[d], position by position.
Tensor naive(const Tensor& x, const Axes& axes) {
  std::vector<Index> dims;
  for (const int axis : axes) dims.push_back(x.dim(axis));
  Tensor y{Shape(std::span<const Index>(dims))};
  for (Index at = 0; at < y.size(); ++at) {
    std::vector<Index> position(axes.size());
    Index rest = at;
    for (int d = y.rank() - 1; d >= 0; rest /= y.dim(d--))
      position[static_cast<std::size_t>(axes[static_cast<std::size_t>(d)])] = rest % y.dim(d);
    Index from = 0;
    for (int d = 0; d < x.rank(); ++d)
      from = from * x.dim(d) + position[static_cast<std::size_t>(d)];
    y[at] = x[from];
  }
  return y;
}

struct Case {
  Shape x;
  Axes axes;
};

const std::vector<Case> cases = {{{}, {}},
                                 {{7}, {0}},
                                 {{3, 5}, {1, 0}},
                                 {{1, 5}, {1, 0}},
                                 {{2, 3, 5}, {2, 0, 1}},
                                 {{2, 3, 5}, {0, 2, 1}},
                                 {{2, 3, 4, 5}, {0, 3, 1, 2}},
                                 {{2, 1, 3, 1, 5}, {4, 2, 0, 1, 3}},
                                 {{2, 3, 4}, {0, 1, 2}}};

}  // namespace

TEST_CASE("permute: gradient; against the naive loop") {
  for (const Case& c : cases) {
    const auto f = [&](std::span<const Var> x) { return op::permute(x[0], c.axes); };
    const Tensor x = test::normal(c.x), expected = naive(x, c.axes);
    test::gradcheck(f, {x});
    const Tensor y = op::permute(Var(x), c.axes).value();
    CHECK(y.shape() == expected.shape());
    CHECK(test::numbers(y) == test::numbers(expected));
  }
}

TEST_CASE("permute: transpose exchanges two dimensions, the last two unless told") {
  const Var x(test::normal({2, 3, 5}));
  CHECK(test::numbers(op::transpose(x).value()) == test::numbers(naive(x.value(), {0, 2, 1})));
  CHECK(test::numbers(op::transpose(x, 0, -1).value()) ==
        test::numbers(naive(x.value(), {2, 1, 0})));
  // Long enough that no shape on the way may have both extents.
  const Var row(Tensor({1, 9'000'000}, Real(3)));
  CHECK(op::transpose(row).shape() == Shape({9'000'000, 1}));
}

TEST_CASE("permute: attributes") {
  Tape tape(Tape::Records::graph);
  op::permute(Var(Tensor({1, 2, 3}, Real(0))), {2, 0, 1});
  CHECK(tape.nodes()[0]->attributes().get<std::vector<Index>>("axes") ==
        std::vector<Index>{2, 0, 1});
}

TEST_CASE("permute: same bits for any number of threads") {
  test::same_bits_for_any_threads(
      [](std::span<const Var> x) {
        return op::permute(x[0], {2, 0, 1});
      },
      {test::normal({37, 61, 53})});
}

TEST_CASE("permute: as PyTorch") {
  test::as_pytorch("permute/nchw-to-nhwc", [](std::span<const Var> x) {
    return op::permute(x[0], {0, 2, 3, 1});
  });
}

TEST_CASE("permute: what is no order is refused") {
  const Var x(Tensor({2, 3}, Real(0)));
  CHECK_THROWS_WITH_AS(op::permute(x, {0, 0}),
                       "[permute] not an order of the dimensions: got 2 axes for x [2, 3]; "
                       "expected each of 0 to 1 once",
                       Error);
  CHECK_THROWS_AS(op::permute(x, {0}), Error);
  CHECK_THROWS_AS(op::permute(x, {0, 2}), Error);
  CHECK_THROWS_WITH_AS(op::transpose(x, 0, 2),
                       "[transpose] no such axis: got 2 for x [2, 3]; expected -2 to 1", Error);
}

}  // namespace fraqat::permute_test
