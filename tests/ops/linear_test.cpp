#include "tests/support/golden.hpp"

namespace fraqat::linear_test {
namespace {

Var linear(std::span<const Var> x) { return op::linear(x[0], x[1], x.size() > 2 ? x[2] : Var()); }

Tensor naive(const Tensor& x, const Tensor& w, const Tensor& b) {
  const Index in = x.dim(1), out = w.dim(0);
  Tensor y({x.dim(0), out});
  for (Index n = 0; n < x.dim(0); ++n)
    for (Index o = 0; o < out; ++o) {
      double sum = b ? double(b[o]) : 0;
      for (Index i = 0; i < in; ++i) sum += double(x[n * in + i]) * double(w[o * in + i]);
      y[n * out + o] = Real(sum);
    }
  return y;
}

const std::vector<std::array<Index, 3>> sizes = {  // n, in, out
    {1, 1, 1}, {1, 7, 3}, {5, 1, 2}, {3, 4, 1}, {6, 9, 5}, {2, 17, 11}};

}  // namespace

TEST_CASE("linear: gradient, with and without bias") {
  for (const auto& [n, in, out] : sizes) {
    test::gradcheck(linear,
                    {test::normal({n, in}, 1), test::normal({out, in}, 2), test::normal({out}, 3)});
    test::gradcheck(linear, {test::normal({n, in}, 1), test::normal({out, in}, 2)});
  }
}

TEST_CASE("linear: by hand") {
  Tape tape;
  const Var x(Tensor({1, 2}, std::array<Real, 2>{1, 2}), true);
  const Var w(Tensor({3, 2}, std::array<Real, 6>{1, 0, 0, 1, -1, 3}), true);
  const Var b(Tensor({3}, std::array<Real, 3>{10, 20, 30}), true);
  const Var y = op::linear(x, w, b);
  CHECK(test::numbers(y.value()) == std::vector<Real>{11, 22, 35});
  tape.backward(op::sum(y));
  CHECK(test::numbers(x.grad()) == std::vector<Real>{0, 4});              // column sums of w
  CHECK(test::numbers(w.grad()) == std::vector<Real>{1, 2, 1, 2, 1, 2});  // x for every output
  CHECK(test::numbers(b.grad()) == std::vector<Real>{1, 1, 1});
}

TEST_CASE("linear: against the naive loop") {
  for (const auto& [n, in, out] : sizes) {
    const Tensor x = test::normal({n, in}, 1), w = test::normal({out, in}, 2);
    const Tensor b = test::normal({out}, 3);
    test::check_close(op::linear(Var(x), Var(w), Var(b)).value(), naive(x, w, b), 1e-5, 1e-5);
    test::check_close(op::linear(Var(x), Var(w)).value(), naive(x, w, {}), 1e-5, 1e-5);
  }
}

TEST_CASE("linear: bias gradient over many rows") {
  Tape tape;
  const Index n = 3001, out = 19;  // several chunks of rows
  const Var b(Tensor({out}, Real(0)), true);
  const Var y = op::linear(Var(test::normal({n, 1})), Var(test::normal({out, 1})), b);
  Tensor w({n, out});
  for (Index i = 0; i < w.size(); ++i) w[i] = Real(i % 5);  // whole numbers: exact sums
  tape.backward(op::sum(op::mul(y, Var(w))));
  for (Index o = 0; o < out; ++o) {
    Real expected = 0;
    for (Index r = 0; r < n; ++r) expected += w[r * out + o];
    CHECK(b.grad()[o] == expected);
  }
}

TEST_CASE("linear: as PyTorch") {
  for (const char* golden : {"linear/bias", "linear/no-bias"})
    test::as_pytorch(golden, linear, 1e-5, 1e-5);
}

TEST_CASE("linear: same bits for any number of threads") {
  test::same_bits_for_any_threads(
      linear, {test::normal({2001, 37}, 1), test::normal({53, 37}, 2), test::normal({53}, 3)});
}

TEST_CASE("linear: what does not fit is refused") {
  const Var x(Tensor({2, 5}, Real(0))), w(Tensor({3, 5}, Real(0)));
  CHECK_THROWS_WITH_AS(op::linear(Var(Tensor({5}, Real(0))), w),
                       "[linear] not two matrices: got x [5], weight [3, 5]; expected x[n, in] and "
                       "weight[out, in]",
                       Error);
  CHECK_THROWS_WITH_AS(op::linear(x, Var(Tensor({3, 6}, Real(0)))),
                       "[linear] inner sizes differ: got x [2, 5], weight [3, 6]; expected x[n, "
                       "in] and weight[out, in]",
                       Error);
  CHECK_THROWS_WITH_AS(op::linear(x, w, Var(Tensor({5}, Real(0)))),
                       "[linear] wrong bias: got [5]; expected [3] for weight [3, 5]", Error);
}

}  // namespace fraqat::linear_test
