#include <cmath>
#include <cstring>
#include <tuple>

#include "quant/ops.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/op_test.hpp"

namespace fraqat::batch_norm_fake_quant_test {

using quant::Coding;
using quant::Widths;

namespace {

struct Case {
  Coding coding;
  bool relu, mixture, batch_statistics;
  Real zero;
};

constexpr Case cases[] = {{Coding::natural, true, false, true, 0},
                          {Coding::natural, true, true, true, 0},
                          {Coding::natural, false, false, true, Real(2.3)},
                          {Coding::natural, false, true, false, Real(1.4)},
                          {Coding::twos, false, false, true, Real(-0.6)},
                          {Coding::twos, true, false, false, 0}};

op::FakeQuantOptions options(Coding coding) { return {coding, Widths::range(2, 5), 0, 4, "x"}; }

/// batch_norm and fake_quant of x, gamma, beta, p, scale and zero: in one op, or two.
test::Function function(const Case& c, bool in_one) {
  return [=](std::span<const Var> in) {
    const Index C = in[1].value().size();
    op::BatchNormInput norm{in[0],
                            in[1],
                            in[2],
                            {test::normal({C}, 11), test::uniform({C}, Real(0.5), 2, 12)},
                            {Real(1e-5), Real(0.1), c.batch_statistics, c.relu}};
    if (in_one) return op::batch_norm_fake_quant(norm, in[3], in[4], in[5], options(c.coding));
    return op::fake_quant(op::batch_norm(norm), in[3], in[4], in[5], options(c.coding));
  };
}

std::vector<Tensor> inputs(const Case& c, const Shape& shape) {
  Tensor scale({4, 1}), p({4}, Real(0));
  for (Index j = 0; j < 4; ++j) scale[j] = Real(0.7) / Real(1 << j);
  p[1] = 1;
  if (c.mixture) p = Tensor({4}, std::array<Real, 4>{Real(0.1), 0, Real(0.6), Real(0.3)});
  return {
      test::normal(shape, 1), test::normal({shape[-1]}, 2), test::normal({shape[-1]}, 3), p, scale,
      Tensor({4, 1}, c.zero)};
}

/// y and all gradients; `held`: somebody else holds the gradient to y.
std::vector<Real> results(const test::Function& f, const std::vector<Tensor>& tensors, bool held) {
  std::vector<Var> in;
  for (const Tensor& t : tensors) in.emplace_back(t, true);
  Tape tape;
  const Var y = f(in);
  std::vector<Real> all = test::numbers(y.value());
  const Var other(Tensor(y.shape(), Real(0)), true);  // shares its gradient with y, if held
  const Var sum = held ? op::add(y, other) : y;
  tape.backward(op::sum(op::mul(sum, Var(test::normal(y.shape(), 7)))));
  if (held) in.push_back(other);
  for (const Var& v : in)
    for (const Real g : test::numbers(v.grad())) all.push_back(g);
  return all;
}

bool same(const std::vector<Real>& a, const std::vector<Real>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(Real)) == 0;
}

bool suits(const Shape& shape) { return op::batch_norm_fake_quant_suits(shape, {4, 1}); }

}  // namespace

TEST_CASE("batch_norm_fake_quant: the bits, and gradients, of the two ops") {
  const auto compare = [](const Case& c, const Shape& shape, bool held) {
    INFO("x ", shape, ", relu ", c.relu, ", mixture ", c.mixture, ", zero ", c.zero);
    const std::vector<Tensor> in = inputs(c, shape);
    CHECK(same(results(function(c, true), in, held), results(function(c, false), in, held)));
  };
  // One piece of each sum; several of batch norm's in one of fake_quant's, and in each of many.
  for (const Shape& shape :
       {Shape{5, 3}, Shape{2, 3, 3, 1}, Shape{2, 9, 9, 37}, Shape{40, 128}, Shape{20, 4, 4, 48},
        Shape{2, 8192}, Shape{8, 16, 16, 16}, Shape{5, 32, 32, 8}, Shape{9, 8, 8, 64}}) {
    REQUIRE(suits(shape));
    for (const Case& c : cases)
      for (const bool held : {false, true}) compare(c, shape, held);
  }
  const Shape large{128, 32, 32, 16};  // two of fake_quant's in each of batch norm's
  REQUIRE(suits(large));
  compare(cases[0], large, false);
}

namespace {

/// The formulas of both ops one after the other, element by element, with the batch's statistics.
std::vector<Tensor> declared(const Case& c, std::span<const Tensor> in, const Tensor& dy) {
  const auto& [x, gamma, beta] = std::tie(in[0], in[1], in[2]);
  const auto& [p, scale, zero] = std::tie(in[3], in[4], in[5]);
  std::vector<Tensor> g;
  for (const Tensor& t : in) g.emplace_back(t.shape(), Real(0));
  const Index C = gamma.size(), n = x.size() / C;
  for (Index channel = 0; channel < C; ++channel) {
    double mean = 0, variance = 0, of_beta = 0, of_gamma = 0;
    for (Index i = channel; i < x.size(); i += C) mean += double(x[i]) / double(n);
    for (Index i = channel; i < x.size(); i += C)
      variance += (double(x[i]) - mean) * (double(x[i]) - mean) / double(n);
    const double deviation = std::sqrt(variance + 1e-5);
    const auto z = [&](Index i) { return (double(x[i]) - mean) / deviation; };
    std::vector<double> h(static_cast<std::size_t>(n), 0.0);  // dL / d batch_norm
    for (Index i = channel; i < x.size(); i += C) {
      const double normalised = double(gamma[channel]) * z(i) + double(beta[channel]);
      const double v = c.relu ? std::max(normalised, 0.0) : normalised, d = double(dy[i]);
      double& to = h[static_cast<std::size_t>(i / C)];
      for (Index j = 0; j < p.size(); ++j) {
        const auto s = double(scale[j]), whole = std::nearbyint(double(zero[j]));
        const double half = std::pow(2.0, options(c.coding).widths[static_cast<int>(j)] - 1);
        const double lo = (c.coding == Coding::twos ? -half : 0) - whole;
        const double hi = (c.coding == Coding::twos ? half : 2 * half) - 1 - whole;
        const bool inside = lo <= v / s && v / s <= hi;
        const double code = std::min(std::max(std::nearbyint(v / s), lo), hi);
        if (inside && (!c.relu || normalised > 0)) to += double(p[j]) * d;
        g[3][j] += Real(d * s * code);
        g[4][j] += Real(double(p[j]) * d * (code - (inside ? v / s : 0)));
        g[5][j] -= Real(inside ? 0 : double(p[j]) * d * s);
      }
      of_beta += to;
      of_gamma += to * z(i);
    }
    g[1][channel] = Real(of_gamma);
    g[2][channel] = Real(of_beta);
    for (Index i = channel; i < x.size(); i += C)
      g[0][i] = Real(
          double(gamma[channel]) / deviation *
          (h[static_cast<std::size_t>(i / C)] - of_beta / double(n) - z(i) * of_gamma / double(n)));
  }
  return g;
}

}  // namespace

TEST_CASE("batch_norm_fake_quant: straight-through gradients follow their declared formula") {
  for (const Case& c : cases) {
    if (!c.batch_statistics) continue;
    INFO("relu ", c.relu, ", mixture ", c.mixture, ", zero ", c.zero);
    test::surrogate_check(
        "batch_norm_fake_quant", function(c, true), inputs(c, {3, 4, 5, 3}),
        [&](std::span<const Tensor> in, const Tensor& dy) { return declared(c, in, dy); });
  }
}

TEST_CASE("batch_norm_fake_quant: what suits it") {
  CHECK(suits({128, 32, 32, 16}));
  CHECK(suits({128, 8, 8, 64}));
  CHECK(suits({2, 9, 9, 37}));  // no larger than a piece
  CHECK(suits({32, 28, 28, 16}));
  CHECK_FALSE(suits({100, 32, 32, 16}));
  CHECK_FALSE(suits({128, 28, 28, 32}));                         // pieces that do not end together
  CHECK_FALSE(suits({128, 32, 32, 24}));                         // nor with a row
  CHECK_FALSE(op::batch_norm_fake_quant_suits({4, 8}, {4, 4}));  // ranges of rows
}

TEST_CASE("batch_norm_fake_quant: statistics of the batch move the running ones, once") {
  const Case& c = cases[0];
  const std::vector<Tensor> t = inputs(c, {8, 16, 16, 16});
  const auto after = [&](bool in_one) {
    op::BatchNormState state{Tensor({16}, Real(0)), Tensor({16}, Real(1))};
    const op::BatchNormInput norm{
        Var(t[0]), Var(t[1]), Var(t[2]), state, {Real(1e-5), Real(0.1), true, true}};
    if (in_one)
      op::batch_norm_fake_quant(norm, Var(t[3]), Var(t[4]), Var(t[5]), options(c.coding));
    else
      op::batch_norm(norm);
    std::vector<Real> all = test::numbers(state.mean);
    for (const Real v : test::numbers(state.variance)) all.push_back(v);
    return all;
  };
  CHECK(same(after(true), after(false)));
}

TEST_CASE("batch_norm_fake_quant: gamma alone gets its gradient where x wants none") {
  const Case& c = cases[1];
  const std::vector<Tensor> t = inputs(c, {8, 16, 16, 16});
  const auto of_gamma = [&](bool in_one) {
    std::vector<Var> in;
    for (std::size_t i = 0; i < t.size(); ++i) in.emplace_back(t[i], i == 1);
    Tape tape;
    tape.backward(op::sum(op::mul(function(c, in_one)(in), Var(test::normal(t[0].shape(), 7)))));
    return test::numbers(in[1].grad());
  };
  CHECK(same(of_gamma(true), of_gamma(false)));
}

TEST_CASE("batch_norm_fake_quant: as PyTorch") {
  for (const bool relu : {false, true})
    test::as_pytorch(relu ? "batch_norm_fake_quant/relu" : "batch_norm_fake_quant/plain",
                     function({Coding::natural, relu, true, true, 0}, true));
}

TEST_CASE("batch_norm_fake_quant: same bits for any number of threads") {
  for (const Shape& shape : {Shape{8, 16, 16, 16}, Shape{9, 8, 8, 64}})
    test::same_bits_for_any_threads(function(cases[1], true), inputs(cases[1], shape));
}

TEST_CASE("batch_norm_fake_quant: what does not fit is refused") {
  const auto run = [](const Shape& shape, op::FakeQuantOptions of) {
    const std::vector<Tensor> t = inputs(cases[0], shape);
    const Index C = shape[-1];
    const op::BatchNormInput norm{
        Var(t[0]), Var(t[1]), Var(t[2]), {Tensor({C}, Real(0)), Tensor({C}, Real(1))}, {}};
    return op::batch_norm_fake_quant(norm, Var(t[3]), Var(t[4]), Var(t[5]), of);
  };
  CHECK_THROWS_WITH_AS(run({2, 32, 32, 24}, options(Coding::natural)),
                       "[batch_norm_fake_quant] sums of both do not end together: got x of [2, 32, "
                       "32, 24] with scale "
                       "[4, 1]; expected one range, channels of a power of two and, above 2^19 "
                       "numbers, a multiple of "
                       "2^20; try batch_norm and fake_quant",
                       Error);
  op::FakeQuantOptions pooled = options(Coding::natural);
  pooled.pool = op::Pool2dOptions{};
  CHECK_THROWS_WITH_AS(run({2, 4, 4, 2}, pooled),
                       "[batch_norm_fake_quant] does not pool: got a pool for x; expected none; "
                       "try batch_norm and fake_quant",
                       Error);
  op::FakeQuantOptions weights = options(Coding::symmetric);
  weights.relu = true;
  CHECK_THROWS_WITH_AS(
      run({2, 4, 4, 2}, weights),
      "[fake_quant] relu of a tensor that is coded as a weight: got x; expected an activation",
      Error);
}

}  // namespace fraqat::batch_norm_fake_quant_test
