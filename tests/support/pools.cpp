#include "tests/support/pools.hpp"

namespace fraqat::test {
namespace {

struct Case {
  Shape x;
  op::Pool2dOptions options;
};

const std::vector<Case> cases = {{{1, 1, 1, 1}, {1, 1, 0}}, {{2, 4, 6, 3}, {2, 2, 0}},
                                 {{1, 5, 7, 2}, {3, 2, 1}}, {{2, 5, 5, 1}, {2, 1, 0}},
                                 {{1, 7, 4, 5}, {3, 1, 2}}, {{2, 6, 5, 4}, {1, 2, 0}},
                                 {{1, 3, 3, 17}, {3, 3, 0}}};

Tensor naive(const Pool& pool, const Tensor& x, const op::Pool2dOptions& o) {
  const Index height = (x.dim(1) + 2 * o.padding - o.kernel) / o.stride + 1;
  const Index width = (x.dim(2) + 2 * o.padding - o.kernel) / o.stride + 1;
  Tensor y({x.dim(0), height, width, x.dim(3)}, pool.start);
  Index at = 0;
  for (Index n = 0; n < x.dim(0); ++n)
    for (Index i = 0; i < height; ++i)
      for (Index j = 0; j < width; ++j)
        for (Index c = 0; c < x.dim(3); ++c, ++at)
          for (Index r = 0; r < o.kernel; ++r)
            for (Index s = 0; s < o.kernel; ++s) {
              const Index h = i * o.stride - o.padding + r, w = j * o.stride - o.padding + s;
              if (h < 0 || h >= x.dim(1) || w < 0 || w >= x.dim(2)) continue;
              y[at] = pool.join(y[at], x[((n * x.dim(1) + h) * x.dim(2) + w) * x.dim(3) + c],
                                1 / Real(o.kernel * o.kernel));
            }
  return y;
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
                "; expected kernel > 0, stride > 0 and 0 <= padding < kernel");
  };
  impossible({0, 1, 0}, "kernel 0, stride 1, padding 0");
  impossible({2, 0, 0}, "kernel 2, stride 0, padding 0");
  impossible({2, 2, 2}, "kernel 2, stride 2, padding 2");
  impossible({2, 2, -1}, "kernel 2, stride 2, padding -1");
  refused({1, 3, 4, 1}, {4, 1, 0},
          "window larger than the image: got kernel 4, padding 0, x [1, 3, 4, 1]; expected kernel "
          "<= H + 2 padding and W + 2 padding");
}

}  // namespace

void check_pool(const std::string& name, const Pool& pool) {
  for (const Case& c : cases) {
    gradcheck(with(pool, c.options), {pool.inputs(c.x)});
    Tensor x = normal(c.x);
    for (Real& v : x.span()) v -= 5;  // all negative: a zero of the padding would win a maximum
    check_close(pool.f(Var(x), c.options).value(), naive(pool, x, c.options), 1e-5, 1e-6);
  }
  check_attributes(pool);
  same_bits_for_any_threads(with(pool, {3, 2, 1}), {normal({13, 19, 23, 7})});
  same_bits_for_any_threads(with(pool, {2, 2, 0}), {normal({13, 19, 23, 7})});
  as_pytorch(name + "/touching", with(pool, {2, 2, 0}));
  as_pytorch(name + "/overlapping", with(pool, {3, 2, 1}));
  check_refusals(name, pool);
}

}  // namespace fraqat::test
