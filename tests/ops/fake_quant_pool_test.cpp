#include <cstring>

#include "quant/ops.hpp"
#include "tests/support/op_test.hpp"
#include "tests/support/pools.hpp"

namespace fraqat::fake_quant_pool_test {

using quant::Coding;
using quant::Widths;

namespace {

struct Case {
  Coding coding;
  bool relu, mixture;
  Real zero;
};

constexpr Case cases[] = {{Coding::natural, true, false, 0},
                          {Coding::natural, true, true, 0},
                          {Coding::natural, false, true, Real(2.3)},
                          {Coding::twos, true, false, 0},
                          {Coding::twos, false, false, Real(-0.6)}};

/// y and the gradients to x, p, scale and zero of the quantized numbers, pooled: in one op or
/// by max_pool2d behind it.
std::vector<Real> results(const Case& c, const Shape& shape, const op::Pool2dOptions& pool,
                          std::uint64_t seed, bool in_one) {
  Tensor scale({4, 1}), p({4}, Real(0));
  for (Index j = 0; j < 4; ++j) scale[j] = Real(0.7) / Real(1 << j);
  p[1] = 1;
  if (c.mixture) p = Tensor({4}, std::array<Real, 4>{Real(0.1), 0, Real(0.6), Real(0.3)});
  std::vector<Var> in;
  for (const Tensor& t : {test::normal(shape, seed), p, scale, Tensor({4, 1}, c.zero)})
    in.emplace_back(t, true);
  op::FakeQuantOptions options{c.coding, Widths::range(2, 5), 0, 4, "x", c.relu};
  if (in_one) options.pool = pool;
  Tape tape;
  Var y = op::fake_quant(in[0], in[1], in[2], in[3], options);
  if (!in_one) y = op::max_pool2d(y, pool);
  std::vector<Real> all = test::numbers(y.value());
  tape.backward(op::sum(op::mul(y, Var(test::normal(y.shape(), seed + 1)))));
  for (const Var& v : in)
    for (const Real g : test::numbers(v.grad())) all.push_back(g);
  return all;
}

void check_pooled(const Shape& shape, const op::Pool2dOptions& pool, std::uint64_t seed) {
  for (const Case& c : cases) {
    INFO("x ", shape, ", kernel ", pool.kernel, ", stride ", pool.stride, ", padding ",
         pool.padding, ", relu ", c.relu, ", mixture ", c.mixture, ", zero ", c.zero);
    const std::vector<Real> one = results(c, shape, pool, seed, true);
    const std::vector<Real> two = results(c, shape, pool, seed, false);
    REQUIRE(one.size() == two.size());
    CHECK(std::memcmp(one.data(), two.data(), one.size() * sizeof(Real)) == 0);
  }
}

}  // namespace

TEST_CASE("fake_quant: pooled in one op it has the bits, and gradients, of max_pool2d behind it") {
  check_pooled({2, 6, 8, 6}, {}, 1);
  check_pooled({9, 28, 28, 6}, {}, 2);   // chunks that end within a row of windows
  check_pooled({5, 32, 32, 17}, {}, 3);  // and rows of windows
  check_pooled({3, 9, 6, 5}, {3, 3, 0}, 4);
  check_pooled({2, 4, 128, 64}, {}, 5);  // a row as long as a chunk
  test::ShapeDice dice;
  int pooled = 0;
  for (std::uint64_t i = 1; i < 200; ++i) {
    const test::PoolCase c = test::random_pool(dice);
    if (!op::fake_quant_pools(c.x, {4, 1}, c.options)) continue;
    check_pooled(c.x, c.options, 10 * i);
    ++pooled;
  }
  CHECK(pooled > 10);
}

TEST_CASE("fake_quant: what it can pool") {
  CHECK(op::fake_quant_pools({1, 4, 4, 3}, {2, 1}, {}));
  CHECK_FALSE(op::fake_quant_pools({1, 4, 4, 3}, {2, 3}, {}));         // ranges of rows
  CHECK_FALSE(op::fake_quant_pools({1, 5, 4, 3}, {2, 1}, {}));         // pixels left out
  CHECK_FALSE(op::fake_quant_pools({1, 4, 4, 3}, {2, 1}, {2, 1, 0}));  // windows that overlap
  CHECK_FALSE(op::fake_quant_pools({1, 4, 224, 64}, {2, 1}, {}));      // a row longer than a chunk
}

TEST_CASE("fake_quant: pooled, its threads agree to the bit") {
  const int before = thread_count();
  std::vector<std::vector<Real>> all;
  for (const int threads : {1, 2, 3, 4, 7}) {
    set_thread_count(threads);
    all.push_back(results(cases[1], {9, 28, 28, 6}, {}, 1, true));
  }
  set_thread_count(before);
  for (const auto& one : all)
    CHECK(std::memcmp(one.data(), all[0].data(), all[0].size() * sizeof(Real)) == 0);
}

TEST_CASE("fake_quant: pooling is refused where the largest number need not win") {
  const Var x(test::normal({2, 4, 4, 1})), scale(Tensor({2, 1}, Real(0.5)));
  const Var zero(Tensor({2, 1}, Real(0)));
  op::FakeQuantOptions options{Coding::natural, Widths::range(2, 3), 0, 2, "t"};
  options.pool = op::Pool2dOptions{};
  const Var negative(Tensor({2}, std::array<Real, 2>{Real(1.5), Real(-0.5)}));
  CHECK_THROWS_WITH_AS(op::fake_quant(x, negative, scale, zero, options),
                       doctest::Contains("got weight -0.5 of a width of t; expected 0 or more"),
                       Error);
  const Var rows(Tensor({2, 2}, Real(0.5))), zeros(Tensor({2, 2}, Real(0)));
  const Var first(Tensor({2}, std::array<Real, 2>{1, 0}));
  CHECK_THROWS_WITH_AS(op::fake_quant(x, first, rows, zeros, options),
                       doctest::Contains("[fake_quant] cannot pool: got x of [2, 4, 4, 1] with"),
                       Error);
}

}  // namespace fraqat::fake_quant_pool_test
