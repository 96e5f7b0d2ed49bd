#include "tests/support/pools.hpp"

#include <cmath>

namespace fraqat::test {
namespace {

const std::vector<PoolCase> cases = {{{1, 1, 1, 1}, {1, 1, 0}}, {{2, 4, 6, 3}, {2, 2, 0}},
                                     {{1, 5, 7, 2}, {3, 2, 1}}, {{2, 5, 5, 1}, {2, 1, 0}},
                                     {{1, 7, 4, 5}, {3, 1, 2}}, {{2, 6, 5, 4}, {1, 2, 0}},
                                     {{1, 3, 3, 17}, {3, 3, 0}}};

// Calls f(y, x) with the places of each pixel under each window.
template <class F>
void each_pair(const Shape& y, const Shape& x, const op::Pool2dOptions& o, F f) {
  for (Index at = 0; at < y.size(); ++at) {
    const Index c = at % y[3], j = at / y[3] % y[2], i = at / y[3] / y[2] % y[1];
    const Index n = at / y[3] / y[2] / y[1];
    for (Index r = 0; r < o.kernel; ++r)
      for (Index s = 0; s < o.kernel; ++s) {
        const Index h = i * o.stride - o.padding + r, w = j * o.stride - o.padding + s;
        if (h < 0 || h >= x[1] || w < 0 || w >= x[2]) continue;
        f(at, ((n * x[1] + h) * x[2] + w) * x[3] + c);
      }
  }
}

Real share_of(const op::Pool2dOptions& o) { return 1 / Real(o.kernel * o.kernel); }

Tensor naive(const Pool& pool, const Tensor& x, const op::Pool2dOptions& o) {
  const Index height = (x.dim(1) + 2 * o.padding - o.kernel) / o.stride + 1;
  const Index width = (x.dim(2) + 2 * o.padding - o.kernel) / o.stride + 1;
  Tensor y({x.dim(0), height, width, x.dim(3)}, pool.start);
  each_pair(y.shape(), x.shape(), o,
            [&](Index to, Index from) { y[to] = pool.join(y[to], x[from], share_of(o)); });
  return y;
}

// Each takes its share or, if one takes all, it is the first that equals y.
Tensor naive_gradient(const Pool& pool, const Tensor& x, const Tensor& y, const Tensor& dy,
                      const op::Pool2dOptions& o) {
  Tensor dx(x.shape(), Real(0));
  std::vector<bool> taken(static_cast<std::size_t>(y.size()));
  each_pair(y.shape(), x.shape(), o, [&](Index from, Index to) {
    const auto window = static_cast<std::size_t>(from);
    if (!pool.one_takes_all) {
      dx[to] += dy[from] * share_of(o);
    } else if (!taken[window] && x[to] == y[from]) {
      dx[to] += dy[from];
      taken[window] = true;
    }
  });
  return dx;
}

// Numbers that tie, all negative: a zero of the padding would win a maximum.
Tensor quarters_below_zero(const Shape& shape, std::uint64_t seed) {
  Tensor x = normal(shape, seed);
  for (Real& v : x.span()) v = std::round(4 * v) / 4 - 5;
  return x;
}

void check_against_naive(const Pool& pool, const PoolCase& c, std::uint64_t seed) {
  INFO("x ", c.x, ", kernel ", c.options.kernel, ", stride ", c.options.stride, ", padding ",
       c.options.padding);
  const Tensor x = quarters_below_zero(c.x, seed), y = naive(pool, x, c.options);
  const Tensor dy = normal(y.shape(), seed + 1);
  const Var in(x, true);
  Tape tape;
  const Var out = pool.f(in, c.options);
  check_close(out.value(), y, 1e-5, 1e-6);
  tape.backward(op::sum(op::mul(out, Var(dy))));
  check_close(in.grad(), naive_gradient(pool, x, y, dy, c.options), 1e-5, 1e-6);
}

Function with(const Pool& pool, const op::Pool2dOptions& options) {
  return [=](std::span<const Var> x) { return pool.f(x[0], options); };
}

void check_attributes(const Pool& pool) {
  Tape tape(Tape::Records::graph);
  pool.f(Var(Tensor({1, 5, 5, 1}, Real(0))), {3, 2, 1});
  const Attributes attributes = tape.nodes()[0]->attributes();
  CHECK(attributes.get<Index>("kernel") == 3);
  CHECK(attributes.get<Index>("stride") == 2);
  CHECK(attributes.get<Index>("padding") == 1);
}

void check_refusals(const std::string& name, const Pool& pool) {
  const auto refused = [&](const Shape& x, const op::Pool2dOptions& options,
                           const std::string& what) {
    const std::string text = "[" + name + "] " + what;
    CHECK_THROWS_WITH_AS(pool.f(Var(Tensor(x)), options), text.c_str(), Error);
  };
  refused({3, 4}, {}, "no image: got x [3, 4]; expected x[N, H, W, C]");
  refused({0, 4, 4, 1}, {}, "an empty tensor: got [0, 4, 4, 1]; expected extents of 1 or more");
  const auto impossible = [&](const op::Pool2dOptions& options, const std::string& got) {
    refused({1, 3, 4, 1}, options,
            "impossible window: got " + got +
                "; expected kernel and stride of 1 to 65536 and 0 <= padding < kernel");
  };
  impossible({0, 1, 0}, "kernel 0, stride 1, padding 0");
  impossible({2, 0, 0}, "kernel 2, stride 0, padding 0");
  impossible({2, 2, 2}, "kernel 2, stride 2, padding 2");
  impossible({2, 2, -1}, "kernel 2, stride 2, padding -1");
  impossible({65537, 1, 32768}, "kernel 65537, stride 1, padding 32768");
  constexpr Index huge = Index(1) << 61;  // kernel - 2 padding is 4, when it overflows
  impossible({2 * huge + 4, 1, huge},
             "kernel 4611686018427387908, stride 1, padding 2305843009213693952");
  refused({1, 3, 4, 1}, {4, 1, 0},
          "window larger than the image: got kernel 4, padding 0, x [1, 3, 4, 1]; expected kernel "
          "<= H + 2 padding and W + 2 padding");
}

}  // namespace

PoolCase random_pool(ShapeDice& dice) {
  op::Pool2dOptions o{dice(1, 4), dice(1, 4), 0};
  if (dice(0, 1))
    o.stride = o.kernel;
  else
    o.padding = dice(0, o.kernel - 1);
  const auto extent = [&] { return std::max(Index{1}, o.kernel - 2 * o.padding) + dice(0, 6); };
  const Index channels = dice(0, 1) ? dice(1, 7) : dice(8, 37);
  return {{dice(1, 3), extent(), extent(), channels}, o};
}

void check_pool(const std::string& name, const Pool& pool) {
  for (const PoolCase& c : cases) {
    gradcheck(with(pool, c.options), {pool.inputs(c.x)});
    check_against_naive(pool, c, 1);
  }
  ShapeDice dice;
  for (std::uint64_t i = 0; i < 200; ++i) check_against_naive(pool, random_pool(dice), 10 * i);
  check_attributes(pool);
  same_bits_for_any_threads(with(pool, {3, 2, 1}), {normal({13, 19, 23, 7})});
  same_bits_for_any_threads(with(pool, {2, 2, 0}), {normal({13, 19, 23, 7})});
  as_pytorch(name + "/touching", with(pool, {2, 2, 0}));
  as_pytorch(name + "/overlapping", with(pool, {3, 2, 1}));
  check_refusals(name, pool);
}

}  // namespace fraqat::test
