#include <array>

#include "tests/support/golden.hpp"
#include "tests/support/oracle.hpp"

namespace fraqat::conv_transpose2d_test {
namespace {

struct Case {
  Index N, H, W, C, O, R, S;
  op::ConvTranspose2dOptions options = {};
  bool bias = true;

  std::vector<Tensor> inputs(std::uint64_t seed = 1) const {
    std::vector<Tensor> tensors = {test::normal({N, H, W, C}, seed),
                                   test::normal({C, R, S, O / options.groups}, seed + 1)};
    if (bias) tensors.push_back(test::normal({O}, seed + 2));
    return tensors;
  }

  Var operator()(std::span<const Var> x) const {
    return op::conv_transpose2d(x[0], x[1], bias ? x[2] : Var(), options);
  }
};

// Every x sent to the pixels of y that it reaches; its gradient fetched from there.
test::Definition naive(const Case& c, const std::vector<Tensor>& in, const Tensor& dy) {
  const op::ConvTranspose2dOptions& o = c.options;
  test::Definition d(in, dy);
  const auto at = test::Definition::at;
  for (Index i = 0; c.bias && i < dy.size(); ++i) {
    at(d.y, i) = double(in[2][i % c.O]);
    at(d.gradients[2], i % c.O) += double(dy[i]);
  }
  const Index outputs = c.O / o.groups, inputs = c.C / o.groups, weights = c.R * c.S * outputs;
  for (Index from = 0; from < in[0].size(); ++from) {
    const Index i = from % c.C, q = from / c.C % c.W, p = from / c.C / c.W % c.H;
    const Index n = from / c.C / c.W / c.H;
    for (Index k = 0; k < weights; ++k) {
      const Index h = p * o.stride - o.padding.top + k / outputs / c.S * o.dilation;
      const Index w = q * o.stride - o.padding.left + k / outputs % c.S * o.dilation;
      if (h < 0 || h >= dy.dim(1) || w < 0 || w >= dy.dim(2)) continue;
      const Index to =
          ((n * dy.dim(1) + h) * dy.dim(2) + w) * c.O + i / inputs * outputs + k % outputs;
      const double x = double(in[0][from]), weight = double(in[1][i * weights + k]);
      at(d.y, to) += x * weight;
      at(d.gradients[0], from) += double(dy[to]) * weight;
      at(d.gradients[1], i * weights + k) += double(dy[to]) * x;
    }
  }
  return d;
}

void check_against_naive(const Case& c, std::uint64_t seed) {
  const op::ConvTranspose2dOptions& o = c.options;
  INFO("x [", c.N, ", ", c.H, ", ", c.W, ", ", c.C, "], weight [", c.C, ", ", c.R, ", ", c.S, ", ",
       c.O / o.groups, "], stride ", o.stride, ", padding ", o.padding, ", output_padding ",
       o.output_padding, ", dilation ", o.dilation, ", groups ", o.groups);
  const auto oracle = [&](const auto& in, const Tensor& dy) { return naive(c, in, dy); };
  test::check_definition(c, oracle, c.inputs(seed), seed + 3);
}

// A small one, which leaves something between its paddings.
Case random_case(test::ShapeDice& dice) {
  Case c{};
  op::ConvTranspose2dOptions& o = c.options;
  o.stride = dice(1, 3);
  o.dilation = dice(0, 2) ? 1 : 2;
  o.groups = dice(0, 2) ? 1 : dice(2, 3);
  o.output_padding = dice(0, std::max(o.stride, o.dilation) - 1);
  c.N = dice(0, 3) ? dice(1, 3) : dice(16, 19);
  c.H = dice(1, 4);
  c.W = dice(1, 4);
  c.R = dice(1, 4);
  c.S = dice(1, 4);
  const auto channels = [&] { return o.groups * (dice(0, 1) ? dice(1, 7) : dice(15, 19)); };
  c.C = channels();
  c.O = channels();
  const auto rest = [&](Index count, Index window, Index padding) {
    return (count - 1) * o.stride + o.dilation * (window - 1) + o.output_padding - padding;
  };
  o.padding.top = dice(0, std::min(Index{3}, rest(c.H, c.R, 0)));
  o.padding.bottom = dice(0, std::min(Index{3}, rest(c.H, c.R, o.padding.top)));
  o.padding.left = dice(0, std::min(Index{3}, rest(c.W, c.S, 0)));
  o.padding.right = dice(0, std::min(Index{3}, rest(c.W, c.S, o.padding.left)));
  c.bias = dice(0, 1) == 1;
  return c;
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
  for (const Case& c : cases) check_against_naive(c, 1);
}

TEST_CASE("conv_transpose2d: against the naive loop on random shapes") {
  test::ShapeDice dice;
  for (std::uint64_t i = 0; i < 200; ++i) check_against_naive(random_case(dice), 10 * i);
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
  test::as_pytorch("conv_transpose2d_wide/strided", Case{0, 0, 0, 0, 0, 0, 0, {2, 1, 1, 1, 1}},
                   1e-5, 1e-4);
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
                       "output_padding 2, dilation 1, groups 1; expected stride and dilation of 1 "
                       "to 65536, padding of 0 to 65536, groups of 1 or more, and an "
                       "output_padding below stride or dilation",
                       Error);
  for (const op::ConvTranspose2dOptions& bad : {op::ConvTranspose2dOptions{0},
                                                {1, -1},
                                                {1, 0, -1},
                                                {1, 0, 0, 0},
                                                {1, 0, 0, 1, 0},
                                                {65537},
                                                {1, 0, 0, Index(1) << 62}})
    CHECK_THROWS_AS(conv({1, 4, 4, 1}, {1, 3, 3, 1}, bad), Error);
}

}  // namespace fraqat::conv_transpose2d_test
