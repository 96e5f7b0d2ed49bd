#include "core/broadcast.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "core/random.hpp"

namespace fraqat::broadcast_test {
namespace {

/// Whole numbers from 0, the same at every run.
class Draws {
 public:
  Index below(Index end) {
    return static_cast<Index>(Philox(5, Stream::synthetic)({next_++, 0, 0, 0})[0] % end);
  }

 private:
  std::uint32_t next_ = 0;
};

// Extents 1 to 9, the last now and then long enough for several tasks.
Shape random_shape(Draws& draw) {
  std::vector<Index> dims(static_cast<std::size_t>(draw.below(6)));
  for (Index& d : dims) d = draw.below(3) == 0 ? 1 : 1 + draw.below(9);
  if (!dims.empty() && draw.below(4) == 0) dims.back() = 1 + draw.below(3000);
  return Shape(dims);
}

// A shape that broadcasts to `shape`: some extents 1, some leading ones left out.
Shape random_part(Draws& draw, const Shape& shape) {
  std::vector<Index> dims(shape.dims().begin(), shape.dims().end());
  for (Index& d : dims)
    if (draw.below(2) == 0) d = 1;
  std::size_t out = 0;
  while (out < dims.size() && dims[out] == 1 && draw.below(2) == 0) ++out;
  return Shape(std::span<const Index>(dims).subspan(out));
}

Tensor whole_numbers(Draws& draw, const Shape& shape) {
  Tensor x(shape);
  for (Real& v : x.span()) v = Real(draw.below(15) - 7);
  return x;
}

// Where position i of `shape` falls in `part`, which broadcasts to it.
Index position_in(const Shape& part, const Shape& shape, Index i) {
  Index at = 0, step = 1;
  for (int d = 1; d <= shape.rank(); ++d) {
    const Index here = i % shape[-d];
    i /= shape[-d];
    if (d > part.rank()) continue;
    if (part[-d] > 1) at += here * step;
    step *= part[-d];
  }
  return at;
}

}  // namespace

TEST_CASE("broadcast_shape: aligned at the end; 1 is stretched, to 0 too") {
  CHECK(broadcast_shape("op", {}, {}) == Shape{});
  CHECK(broadcast_shape("op", {2, 1, 4}, {3, 1}) == Shape{2, 3, 4});
  CHECK(broadcast_shape("op", {1}, {5, 4, 3, 2, 1}) == Shape{5, 4, 3, 2, 1});
  CHECK(broadcast_shape("op", {0, 3}, {1, 1}) == Shape{0, 3});
  CHECK_THROWS_AS(broadcast_shape("op", {0, 3}, {2, 3}), Error);
}

TEST_CASE("broadcasting: 300 random patterns of three operands, against the naive loop") {
  Draws draw;
  const auto f = [](Real u, Real v, Real w) { return u * v - w; };
  for (int round = 0; round < 300; ++round) {
    const Shape shape = random_shape(draw);
    const Tensor a = whole_numbers(draw, random_part(draw, shape)),
                 b = whole_numbers(draw, random_part(draw, shape)),
                 c = whole_numbers(draw, random_part(draw, shape));
    const Shape to = random_part(draw, shape);
    const Tensor y = map_to(shape, f, a, b, c);
    const Tensor sums = fold<Added>(
        shape, to, f, [](double sum) { return static_cast<Real>(sum); }, a, b, c);
    std::vector<Real> expected(static_cast<std::size_t>(to.size()));
    Index wrong = 0;
    for (Index i = 0; i < shape.size(); ++i) {
      const Real value = f(a[position_in(a.shape(), shape, i)], b[position_in(b.shape(), shape, i)],
                           c[position_in(c.shape(), shape, i)]);
      wrong += y[i] != value;
      expected[static_cast<std::size_t>(position_in(to, shape, i))] += value;  // exact: whole
    }
    INFO("round ", round, ", size ", shape.size());
    CHECK(wrong == 0);
    CHECK(std::vector<Real>(sums.data(), sums.data() + sums.size()) == expected);
  }
}

TEST_CASE("broadcasting: nothing has a sum, which is 0") {
  const Tensor nothing(Shape{0, 3});
  const auto same = [](Real v) { return v; };
  CHECK(map_to({0, 3}, same, nothing).shape() == Shape{0, 3});
  const Tensor sums = sum_to({3}, nothing);
  for (Index i = 0; i < 3; ++i) CHECK(sums[i] == 0);
}

TEST_CASE("sum_to: a gradient that was not stretched is passed on, not copied") {
  const Tensor dy({2, 3}, Real(1));
  CHECK(sum_to({2, 3}, dy).data() == dy.data());
  CHECK(sum_to({1, 2, 3}, dy).data() == dy.data());
}

}  // namespace fraqat::broadcast_test
