#include <cmath>

#include "quant/ops.hpp"
#include "tests/support/op_test.hpp"

namespace fraqat::fake_quant_frozen_test {

using quant::Coding;
using quant::Widths;

namespace {

/// The codes [lo, hi] of a candidate, at a scale and a zero-point.
struct Candidate {
  double lo, hi, scale, zero;

  bool above(double x) const { return x / scale + std::nearbyint(zero) > hi; }
  bool below(double x) const { return x / scale + std::nearbyint(zero) < lo; }

  /// What straight through means at (x, s, z): x / s with the rounding error that it has
  /// here, at x0, and the zero-point with its own; or the end of the range.
  double frozen(double x0, double x, double s, double z) const {
    const double middle = z + (std::nearbyint(zero) - zero);
    if (above(x0)) return s * (hi - middle);
    if (below(x0)) return s * (lo - middle);
    const double u0 = x0 / scale;
    return s * (x / s + (std::nearbyint(u0) - u0));
  }
};

Candidate candidate(Coding coding, int bits, double scale, double zero) {
  const double half = std::pow(2.0, bits - 1);
  const double lo = coding == Coding::symmetric ? 1 - half : coding == Coding::twos ? -half : 0;
  return {lo, coding == Coding::natural ? 2 * half - 1 : half - 1, scale, zero};
}

/// Central differences of sum_i dy_i sum_j p_j frozen_j(x_i), for x, p, scale and zero.
std::vector<Tensor> differences(Coding coding, std::span<const Tensor> in, const Tensor& dy) {
  constexpr double h = 1e-5;
  std::vector<Tensor> g;
  for (const Tensor& t : in) g.emplace_back(t.shape(), Real(0));
  for (Index j = 0; j < in[1].size(); ++j) {
    const Candidate c =
        candidate(coding, static_cast<int>(2 + j), double(in[2][j]), double(in[3][j]));
    const double p = double(in[1][j]);
    double dp = 0, ds = 0, dz = 0;
    for (Index i = 0; i < dy.size(); ++i) {
      const double x = double(in[0][i]), w = double(dy[i]) / (2 * h);
      const auto y = [&](double dx, double s, double z) {
        return c.frozen(x, x + dx, c.scale + s, c.zero + z);
      };
      g[0][i] += Real(p * w * (y(h, 0, 0) - y(-h, 0, 0)));
      dp += double(dy[i]) * y(0, 0, 0);  // linear in p
      ds += p * w * (y(0, h, 0) - y(0, -h, 0));
      dz += p * w * (y(0, 0, h) - y(0, 0, -h));
    }
    g[1][j] = Real(dp), g[2][j] = Real(ds), g[3][j] = Real(dz);
  }
  return g;
}

}  // namespace

TEST_CASE("fake_quant: gradients are differences of what is declared, rounding residuals frozen") {
  const Widths widths = Widths::range(2, 5);
  for (const Coding coding : {Coding::symmetric, Coding::twos, Coding::natural})
    for (const Real zero : {Real(0), Real(1.3)}) {
      Tensor x = test::normal({5, 31}), scale({4, 1});
      for (Real& v : x.span()) v = std::round(v * 64) / 64 + Real(0.003);
      for (Index j = 0; j < 4; ++j) scale[j] = Real(0.7) / Real(1 << j);
      const Tensor p({4}, std::array<Real, 4>{Real(0.1), Real(0.4), Real(0.3), Real(0.2)});
      const std::vector<Tensor> in{x, p, scale, Tensor({4, 1}, zero)};
      const Tensor dy = test::normal(x.shape(), 9);
      std::vector<Var> vars;
      for (const Tensor& t : in) vars.emplace_back(t, true);
      Tape tape;
      const Var y = op::fake_quant(vars[0], vars[1], vars[2], vars[3], {coding, widths, 0, 4});
      tape.backward(op::sum(op::mul(y, Var(dy))));
      const std::vector<Tensor> expected = differences(coding, in, dy);
      for (std::size_t i = 0; i < in.size(); ++i) {
        CAPTURE(i);
        test::check_close(vars[i].grad(), expected[i], test::exact ? 1e-6 : 2e-3,
                          test::exact ? 1e-7 : 2e-3);
      }
    }
}

}  // namespace fraqat::fake_quant_frozen_test
