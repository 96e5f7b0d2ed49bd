#include <limits>

#include "core/indices.hpp"
#include "tests/support/golden.hpp"

namespace fraqat::gather_test {
namespace {

// Every third position, some of them often.
Tensor positions(const Shape& shape, Index extent) {
  Tensor t(shape);
  for (Index i = 0; i < t.size(); ++i) t[i] = Real((i * 3 + i / 2) % extent);
  return t;
}

test::Function along(int axis, const Tensor& indices) {
  return [=](std::span<const Var> x) { return op::gather(x[0], indices, axis); };
}

// y[o, n, i] = x[o, index[n], i] and the sums of dy the other way.
struct Naive {
  std::vector<Real> y;
  std::vector<double> dx;

  Naive(const Tensor& x, const Tensor& indices, int axis, const Tensor& dy) {
    Index outer = 1, inner = 1;
    for (int d = 0; d < axis; ++d) outer *= x.dim(d);
    for (int d = axis + 1; d < x.rank(); ++d) inner *= x.dim(d);
    dx.resize(static_cast<std::size_t>(x.size()));
    for (Index o = 0; o < outer; ++o)
      for (Index n = 0; n < indices.size(); ++n)
        for (Index i = 0; i < inner; ++i) {
          const Index from = (o * x.dim(axis) + Index(indices[n])) * inner + i;
          dx[static_cast<std::size_t>(from)] += double(dy[static_cast<Index>(y.size())]);
          y.push_back(x[from]);
        }
  }
};

}  // namespace

TEST_CASE("gather: gradient; against the naive loop") {
  for (const Shape& shape : test::odd_shapes)
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const Tensor indices = positions({5}, shape[axis]);
      test::gradcheck(along(axis, indices), {test::normal(shape)});
      const Var x(test::normal(shape), true);
      Tape tape;
      const Var y = op::gather(x, indices, axis);
      const Tensor dy = test::normal(y.shape(), 7);
      tape.backward(op::sum(op::mul(y, Var(dy))));
      const Naive naive(x.value(), indices, axis, dy);
      CHECK(test::numbers(y.value()) == naive.y);
      for (Index i = 0; i < x.value().size(); ++i)
        CHECK(double(x.grad()[i]) ==
              doctest::Approx(naive.dx[static_cast<std::size_t>(i)]).epsilon(1e-5));
    }
}

TEST_CASE("gather: the dimensions of the indices take the place of the axis") {
  const Var x(test::normal({4, 7, 3}));
  CHECK(op::gather(x, positions({2, 5}, 7), 1).shape() == Shape{4, 2, 5, 3});
  CHECK(op::gather(x, Tensor::scalar(6), -2).shape() == Shape{4, 3});
}

TEST_CASE("gather: embedding adds up the rows that occur more than once") {
  const Var table(Tensor({3, 2}, std::array<Real, 6>{1, 2, 3, 4, 5, 6}), true);
  Tape tape;
  const Var y = op::embedding(table, Tensor({2, 2}, std::array<Real, 4>{2, 0, 2, 2}));
  CHECK(y.shape() == Shape{2, 2, 2});
  CHECK(test::numbers(y.value()) == std::vector<Real>{5, 6, 1, 2, 5, 6, 5, 6});
  tape.backward(op::sum(y));
  CHECK(test::numbers(table.grad()) == std::vector<Real>{1, 1, 0, 0, 3, 3});
}

TEST_CASE("gather: attributes") {
  Tape tape(Tape::Records::graph);
  op::gather(Var(Tensor({4, 5}, Real(0))), Tensor({1}, Real(0)), -1);
  CHECK(tape.nodes()[0]->attributes().get<Index>("axis") == 1);
}

TEST_CASE("gather: same bits for any number of threads") {
  test::same_bits_for_any_threads(along(0, positions({5001}, 37)), {test::normal({37, 19})});
  test::same_bits_for_any_threads(along(1, positions({301}, 17)), {test::normal({23, 17, 5})});
}

TEST_CASE("gather: as PyTorch") {
  test::as_pytorch("gather/embedding",
                   [](std::span<const Var> x) { return op::embedding(x[0], x[1].value()); });
  test::as_pytorch("gather/middle",
                   [](std::span<const Var> x) { return op::gather(x[0], x[1].value(), 1); });
}

TEST_CASE("gather: bad indices are refused") {
  const Var x(Tensor({3, 4}, Real(0)));
  const auto with = [&](Real index) { return op::gather(x, Tensor({1}, index), 1); };
  CHECK_THROWS_WITH_AS(with(4),
                       "[gather] impossible position at index 0: got 4; expected a whole number "
                       "in [0, 4)",
                       Error);
  CHECK_THROWS_AS(with(-1), Error);
  CHECK_THROWS_AS(with(Real(0.5)), Error);
  CHECK_THROWS_WITH_AS(op::gather(x, Tensor(Shape{0})),
                       "[gather] no indices: got [0]; expected extents of 1 or more", Error);
  CHECK_THROWS_WITH_AS(op::gather(x, Tensor({1}, Real(0)), 2),
                       "[gather] no such axis: got 2 for x [3, 4]; expected -2 to 1", Error);
  CHECK_THROWS_WITH_AS(op::gather(x, Tensor({1, 1, 1, 1, 1}, Real(0)), 1),
                       "[gather] too many dimensions: got x [3, 4] and indices [1, 1, 1, 1, 1]; "
                       "expected a result of at most 5",
                       Error);
  CHECK_THROWS_WITH_AS(op::embedding(Var(Tensor({3}, Real(0))), Tensor({1}, Real(0))),
                       "[embedding] no table: got [3]; expected table[rows, width]", Error);
}

TEST_CASE("gather: more positions than a Real can tell apart are refused") {
  constexpr Index exact = Index(1) << std::numeric_limits<Real>::digits;
  const Tensor first({1}, Real(0));
  CHECK_NOTHROW(check_indices("gather", "position", first, exact));
  CHECK_THROWS_WITH_AS(check_indices("gather", "position", first, exact + 1),
                       doctest::Contains("[gather] too many for an index that is a Real: got "),
                       Error);
  if (sizeof(Real) == sizeof(float)) {
    CHECK_THROWS_WITH_AS(op::embedding(Var(Tensor({exact + 1, 1})), first),
                         "[gather] too many for an index that is a Real: got 16777217 positions; "
                         "expected at most 16777216; try several smaller tables",
                         Error);
  }
}

}  // namespace fraqat::gather_test
