#include "tests/support/golden.hpp"

namespace fraqat::matmul_test {
namespace {

struct Case {
  Shape a, b;
  op::MatmulOptions turn = {};

  Var operator()(std::span<const Var> x) const { return op::matmul(x[0], x[1], turn); }
  std::vector<Tensor> inputs() const { return {test::normal(a, 1), test::normal(b, 2)}; }
};

const std::vector<Case> matrices = {{{1, 1}, {1, 1}}, {{1, 5}, {5, 3}}, {{7, 1}, {1, 2}},
                                    {{3, 4}, {4, 1}}, {{5, 7}, {7, 9}}, {{2, 17}, {17, 3}}};

// Every pattern of a batch: equal, 1 on one side, missing on one side, and both.
const std::vector<Case> batches = {{{2, 3, 4}, {2, 4, 5}},
                                   {{5, 1, 3, 2}, {5, 1, 2, 3}},
                                   {{2, 3, 4}, {4, 5}},
                                   {{3, 4}, {6, 4, 5}},
                                   {{2, 1, 3, 2}, {1, 3, 2, 4}},
                                   {{7, 1, 2, 3}, {2, 3, 1}},
                                   {{2, 3, 2, 3, 4}, {3, 1, 4, 2}}};

// The same product with operands that are stored turned.
std::vector<Case> turned(const Case& c) {
  const auto swapped = [](const Shape& s) {
    std::vector<Index> dims(s.dims().begin(), s.dims().end());
    std::swap(dims[dims.size() - 1], dims[dims.size() - 2]);
    return Shape(std::span<const Index>(dims));
  };
  return {c,
          {swapped(c.a), c.b, {true, false}},
          {c.a, swapped(c.b), {false, true}},
          {swapped(c.a), swapped(c.b), {true, true}}};
}

Tensor naive(const Case& c, const Tensor& a, const Tensor& b, const Shape& shape) {
  Tensor y(shape);
  const Index m = shape[-2], n = shape[-1], k = a.dim(c.turn.transpose_a ? -2 : -1);
  const auto matrix = [&](const Tensor& t, Index j) {
    Index at = 0, step = 1;
    for (int d = shape.rank() - 3, own = t.rank() - 3; own >= 0; j /= shape[d--], --own) {
      at += (t.dim(own) == 1 ? 0 : j % shape[d]) * step;
      step *= t.dim(own);
    }
    return t.data() + at * t.dim(-1) * t.dim(-2);
  };
  for (Index at = 0; at < y.size(); ++at) {
    const Real *u = matrix(a, at / (m * n)), *v = matrix(b, at / (m * n));
    const Index i = at / n % m, j = at % n;
    double sum = 0;
    for (Index l = 0; l < k; ++l)
      sum += double(c.turn.transpose_a ? u[l * m + i] : u[i * k + l]) *
             double(c.turn.transpose_b ? v[j * k + l] : v[l * n + j]);
    y[at] = Real(sum);
  }
  return y;
}

void check_values(const Case& c) {
  INFO("a ", c.a.rank(), " dims, b ", c.b.rank(), " dims, turned ", c.turn.transpose_a,
       c.turn.transpose_b);
  const std::vector<Tensor> in = c.inputs();
  const Tensor y = op::matmul(Var(in[0]), Var(in[1]), c.turn).value();
  test::check_close(y, naive(c, in[0], in[1], y.shape()), 1e-5, 1e-4);
}

}  // namespace

TEST_CASE("matmul: gradient") {
  for (const std::vector<Case>& table : {matrices, batches})
    for (const Case& c : table)
      for (const Case& way : turned(c)) test::gradcheck(way, way.inputs());
}

TEST_CASE("matmul: against the naive loop") {
  for (const std::vector<Case>& table : {matrices, batches})
    for (const Case& c : table)
      for (const Case& way : turned(c)) check_values(way);
  for (const Case& way : turned({{130, 65}, {65, 519}})) check_values(way);  // several tiles
}

TEST_CASE("matmul: the batch is broadcast") {
  const auto shape = [](const Shape& a, const Shape& b) {
    return op::matmul(Var(Tensor(a, Real(0))), Var(Tensor(b, Real(0)))).shape();
  };
  CHECK(shape({2, 1, 3, 2}, {5, 2, 4}) == Shape{2, 5, 3, 4});
  CHECK(shape({2, 6, 3, 2}, {2, 4}) == Shape{2, 6, 3, 4});
  CHECK(shape({3, 2}, {7, 2, 4}) == Shape{7, 3, 4});
}

TEST_CASE("matmul: a long row, turned, times a number") {
  const Var row(Tensor({1, 9'000'000}, Real(3))), two(Tensor({1, 1}, Real(2)));
  const Tensor y = op::matmul(row, two, {true, false}).value();
  CHECK(y.shape() == Shape({9'000'000, 1}));
  CHECK(y[8'999'999] == 6);
}

TEST_CASE("matmul: a square times itself") {
  test::gradcheck([](std::span<const Var> x) { return op::matmul(x[0], x[0]); },
                  {test::normal({4, 4})});
}

TEST_CASE("matmul: attributes") {
  Tape tape(Tape::Records::graph);
  op::matmul(Var(Tensor({2, 3}, Real(0))), Var(Tensor({4, 3}, Real(0))), {false, true});
  CHECK(tape.nodes()[0]->attributes().get<Index>("transpose_a") == 0);
  CHECK(tape.nodes()[0]->attributes().get<Index>("transpose_b") == 1);
}

TEST_CASE("matmul: same bits for any number of threads") {
  for (const Case& c : {Case{{201, 77}, {77, 533}}, Case{{13, 31, 17}, {13, 17, 29}},
                        Case{{3, 131, 17}, {1, 17, 29}}, Case{{2, 1, 31, 17}, {5, 17, 29}}})
    test::same_bits_for_any_threads(c, c.inputs());
}

TEST_CASE("matmul: as PyTorch") {
  test::as_pytorch("matmul/matrices", Case{}, 1e-5, 1e-5);
  test::as_pytorch("matmul/batch", Case{}, 1e-5, 1e-5);
  test::as_pytorch("matmul/broadcast", Case{}, 1e-5, 1e-5);
  test::as_pytorch("matmul/turned", Case{{}, {}, {true, true}}, 1e-5, 1e-5);
}

TEST_CASE("matmul: what cannot be multiplied is refused") {
  const Var a(Tensor({2, 3}, Real(0)));
  CHECK_THROWS_WITH_AS(op::matmul(a, Var(Tensor({3}, Real(0)))),
                       "[matmul] not two matrices: got [2, 3] and [3]; expected a[..., m, k] and "
                       "b[..., k, n]",
                       Error);
  CHECK_THROWS_WITH_AS(op::matmul(a, a),
                       "[matmul] inner sizes differ: got [2, 3] and [2, 3]; expected a[..., m, k] "
                       "and b[..., k, n]",
                       Error);
  CHECK_THROWS_WITH_AS(op::matmul(a, Var(Tensor({3, 2}, Real(0))), {true, false}),
                       "[matmul] inner sizes differ: got [2, 3] transposed and [3, 2]; expected "
                       "a[..., m, k] and b[..., k, n]",
                       Error);
  CHECK_THROWS_WITH_AS(
      op::matmul(Var(Tensor({2, 2, 3}, Real(0))), Var(Tensor({5, 3, 4}, Real(0)))),
      "[matmul] batches differ: got [2, 2, 3] and [5, 3, 4]; expected equal extents before the "
      "last two, or 1",
      Error);
  CHECK_THROWS_WITH_AS(op::matmul(Var(Tensor({2, 0, 3})), Var(Tensor({3, 4}, Real(0)))),
                       "[matmul] an empty tensor: got [2, 0, 3]; expected extents of 1 or more",
                       Error);
}

}  // namespace fraqat::matmul_test
