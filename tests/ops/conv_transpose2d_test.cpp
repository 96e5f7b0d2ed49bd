#include <array>

#include "tests/support/golden.hpp"

namespace fraqat::conv_transpose2d_test {
namespace {

struct Case {
  Index N, H, W, C, O, R, S;
  op::ConvTranspose2dOptions options = {};
  bool bias = true;

  std::vector<Tensor> inputs() const {
    std::vector<Tensor> tensors = {test::normal({N, H, W, C}, 1),
                                   test::normal({C, R, S, O / options.groups}, 2)};
    if (bias) tensors.push_back(test::normal({O}, 3));
    return tensors;
  }

  Var operator()(std::span<const Var> x) const {
    return op::conv_transpose2d(x[0], x[1], bias ? x[2] : Var(), options);
  }
};

// Every x sent to the pixels of y that it reaches.
Tensor naive(const Case& c, const std::vector<Tensor>& in) {
  const op::ConvTranspose2dOptions& o = c.options;
  const auto extent = [&](Index count, Index window, Index padding) {
    return (count - 1) * o.stride - padding + o.dilation * (window - 1) + 1 + o.output_padding;
  };
  Tensor y({c.N, extent(c.H, c.R, o.padding.rows()), extent(c.W, c.S, o.padding.columns()), c.O});
  for (Index i = 0; i < y.size(); ++i) y[i] = c.bias ? in[2][i % c.O] : Real(0);
  const Index outputs = c.O / o.groups, inputs = c.C / o.groups;
  for (Index from = 0; from < in[0].size(); ++from) {
    const Index i = from % c.C, q = from / c.C % c.W, p = from / c.C / c.W % c.H;
    const Index n = from / c.C / c.W / c.H;
    for (Index at = 0; at < c.R * c.S * outputs; ++at) {
      const Index h = p * o.stride - o.padding.top + at / outputs / c.S * o.dilation;
      const Index w = q * o.stride - o.padding.left + at / outputs % c.S * o.dilation;
      if (h < 0 || h >= y.dim(1) || w < 0 || w >= y.dim(2)) continue;
      y[((n * y.dim(1) + h) * y.dim(2) + w) * c.O + i / inputs * outputs + at % outputs] +=
          in[0][from] * in[1][i * c.R * c.S * outputs + at];
    }
  }
  return y;
}

// N, H, W, C, O, R, S, {stride, padding, output_padding, dilation, groups}
const std::array<Case, 10> cases = {{{1, 1, 1, 1, 1, 1, 1},
                                     {2, 4, 3, 3, 4, 3, 2},
                                     {2, 3, 4, 3, 2, 3, 3, {2, 1, 1, 1, 1}},
                                     {1, 4, 3, 2, 5, 2, 2, {2, 0, 0, 1, 1}, false},
                                     {2, 3, 3, 4, 6, 2, 3, {1, 1, 1, 2, 2}},
                                     {1, 3, 4, 3, 3, 3, 3, {2, 1, 1, 1, 3}},
                                     {2, 2, 3, 2, 2, 3, 3, {3, {0, 1, 2, 1}, 2, 1, 1}},
                                     {3, 1, 5, 2, 1, 1, 3, {1, {0, 0, 1, 1}, 0, 1, 1}, false},
                                     {1, 3, 3, 1, 2, 5, 5, {1, 2, 0, 1, 1}},
                                     {17, 3, 3, 3, 2, 3, 3, {1, 1, 0, 1, 1}}}};

}  // namespace

TEST_CASE("conv_transpose2d: gradient") {
  for (const Case& c : cases)
    if (c.N < 17) test::gradcheck(c, c.inputs());
}

TEST_CASE("conv_transpose2d: against the naive loop") {
  for (const Case& c : cases) {
    const std::vector<Tensor> in = c.inputs();
    const std::vector<Var> vars(in.begin(), in.end());
    test::check_close(c(vars).value(), naive(c, in), 1e-4, 1e-4);
  }
}

TEST_CASE("conv_transpose2d: its shape undoes that of conv2d") {
  const Var x(Tensor({1, 7, 8, 2}, Real(0)));
  const Var down = op::conv2d(x, Var(Tensor({3, 3, 3, 2}, Real(0))), {}, {2, 1, 1, 1});
  const Var weight(Tensor({3, 3, 3, 2}, Real(0)));
  CHECK(op::conv_transpose2d(down, weight, {}, {2, 1, 0, 1, 1}).shape() == Shape{1, 7, 7, 2});
  CHECK(op::conv_transpose2d(down, weight, {}, {2, 1, 1, 1, 1}).shape() == Shape{1, 8, 8, 2});
}

TEST_CASE("conv_transpose2d: same bits for any number of threads") {
  for (const Case& c :
       {Case{37, 7, 6, 3, 6, 3, 3, {1, 1, 0, 1, 1}}, Case{13, 5, 6, 8, 4, 3, 3, {2, 1, 1, 1, 2}}})
    test::same_bits_for_any_threads(c, c.inputs());
}

TEST_CASE("conv_transpose2d: attributes") {
  Tape tape(Tape::Records::graph);
  op::conv_transpose2d(Var(Tensor({1, 9, 9, 4}, Real(0))), Var(Tensor({4, 3, 3, 2}, Real(0))), {},
                       {3, {1, 2, 3, 4}, 2, 1, 2});
  const Attributes a = tape.nodes().at(0)->attributes();
  CHECK(a.get<Index>("stride") == 3);
  CHECK(a.get<std::vector<Index>>("padding") == std::vector<Index>{1, 2, 3, 4});
  CHECK(a.get<Index>("output_padding") == 2);
  CHECK(a.get<Index>("dilation") == 1);
  CHECK(a.get<Index>("groups") == 2);
}

TEST_CASE("conv_transpose2d: as PyTorch") {
  test::as_pytorch("conv_transpose2d/plain", Case{}, 1e-5, 1e-5);
  test::as_pytorch("conv_transpose2d/strided", Case{0, 0, 0, 0, 0, 0, 0, {2, 1, 1, 1, 1}}, 1e-5,
                   1e-5);
  test::as_pytorch("conv_transpose2d/groups", Case{0, 0, 0, 0, 0, 0, 0, {1, 0, 0, 2, 2}}, 1e-5,
                   1e-5);
}

TEST_CASE("conv_transpose2d: what does not fit is refused") {
  const auto conv = [](const Shape& x, const Shape& weight,
                       const op::ConvTranspose2dOptions& options = {}, const Var& bias = {}) {
    op::conv_transpose2d(Var(Tensor(x, Real(0))), Var(Tensor(weight, Real(0))), bias, options);
  };
  CHECK_THROWS_WITH_AS(conv({4, 4, 1}, {1, 3, 3, 2}),
                       "[conv_transpose2d] wrong rank: got x [4, 4, 1] and weight [1, 3, 3, 2]; "
                       "expected x[N, H, W, C] and weight[C, R, S, O / groups]",
                       Error);
  CHECK_THROWS_WITH_AS(conv({1, 4, 4, 3}, {2, 3, 3, 2}),
                       "[conv_transpose2d] channels do not fit: got x [1, 4, 4, 3] and weight [2, "
                       "3, 3, 2] in 1 groups; expected x[N, H, W, C] and weight[C, R, S, O / "
                       "groups], C a multiple of groups",
                       Error);
  CHECK_THROWS_WITH_AS(conv({1, 4, 4, 1}, {1, 3, 0, 1}),
                       "[conv_transpose2d] no weights: got weight [1, 3, 0, 1]; expected extents "
                       "of 1 or more",
                       Error);
  CHECK_THROWS_WITH_AS(conv({1, 1, 1, 1}, {1, 2, 2, 1}, {1, 1}),
                       "[conv_transpose2d] nothing is left: got x [1, 1, 1, 1] and weight [1, 2, "
                       "2, 1] with padding 1; expected a result larger than its padding",
                       Error);
  CHECK_THROWS_WITH_AS(conv({1, 4, 4, 2}, {2, 3, 3, 2}, {1, 0, 0, 1, 2}, Var(Tensor({2}, Real(0)))),
                       "[conv_transpose2d] wrong bias: got [2] for weight [2, 3, 3, 2] in 2 "
                       "groups; expected [4]",
                       Error);
  CHECK_THROWS_WITH_AS(conv({1, 4, 4, 1}, {1, 3, 3, 1}, {2, 0, 2}),
                       "[conv_transpose2d] impossible options: got stride 2, padding 0, "
                       "output_padding 2, dilation 1, groups 1; expected stride, dilation and "
                       "groups of 1 or more, padding of 0 or more, and an output_padding below "
                       "stride or dilation",
                       Error);
  for (const op::ConvTranspose2dOptions& bad :
       {op::ConvTranspose2dOptions{0}, {1, -1}, {1, 0, -1}, {1, 0, 0, 0}, {1, 0, 0, 1, 0}})
    CHECK_THROWS_AS(conv({1, 4, 4, 1}, {1, 3, 3, 1}, bad), Error);
}

}  // namespace fraqat::conv_transpose2d_test
