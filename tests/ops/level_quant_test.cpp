#include <algorithm>
#include <cmath>
#include <set>

#include "quant/ops.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/op_test.hpp"

namespace fraqat::level_quant_test {

using quant::Coding;
using quant::Widths;

namespace {

constexpr Coding codings[] = {Coding::symmetric, Coding::twos, Coding::natural};

double half(double b) { return std::pow(2.0, b - 1); }

/// The quantizer of the paper, by hand: real steps n(b), whole ends, half to even.
struct Level {
  Coding coding;
  double scale, zero;

  double steps(double b) const { return coding == Coding::natural ? 2 * half(b) - 1 : half(b) - 1; }
  double low(double b) const {  // the real ends, before they are made whole
    return coding == Coding::symmetric ? -steps(b) : coding == Coding::twos ? -half(b) : 0;
  }
  double lo(double b) const { return std::ceil(low(b)) - zero; }
  double hi(double b) const { return std::floor(steps(b)) - zero; }
  double code(double x, double b) const {
    double whole = std::floor(x / scale);
    const double rest = x / scale - whole;
    if (rest > 0.5 || (rest == 0.5 && std::fmod(whole, 2) != 0)) ++whole;
    return std::min(std::max(whole, lo(b)), hi(b));
  }
};

struct Setup {
  Coding coding;
  Index rows;
  double b;
  Tensor scale, zero;

  test::Function function() const {
    return [*this](std::span<const Var> in) {
      return op::level_quant(in[0], in[1], in[2], in[3], coding);
    };
  }
};

Setup make(Coding coding, Index rows, double b, bool zeros) {
  Setup setup{coding, rows, b, test::uniform({rows}, Real(0.2), Real(0.4)),
              Tensor({rows}, Real(0))};
  if (zeros && coding == Coding::natural)
    for (Index r = 0; r < rows; ++r) setup.zero[r] = Real(1 + r % 2);
  return setup;
}

/// What straight through means: x / s, with its rounding error, and the real ends with
/// theirs, errors taken at (x0, s0, b0).  The zero-point goes with the steps.
double frozen(const Level& at0, double b0, double x0, double x, double s, double z, double b) {
  const double u0 = x0 / at0.scale, code = at0.code(x0, b0);
  const double middle = z * at0.steps(b) / at0.steps(b0);
  if (u0 > at0.hi(b0)) return s * (at0.steps(b) - middle + (at0.hi(b0) - at0.steps(b0) + at0.zero));
  if (u0 < at0.lo(b0)) return s * (at0.low(b) - middle + (at0.lo(b0) - at0.low(b0) + at0.zero));
  return s * (x / s + (code - u0));
}

/// Central differences of `frozen`.
std::vector<Tensor> declared(const Setup& setup, std::span<const Tensor> in, const Tensor& dy) {
  const Tensor& x = in[0];
  std::vector<Tensor> g{Tensor(x.shape(), Real(0)), Tensor(in[1].shape(), Real(0)),
                        Tensor(in[2].shape(), Real(0)), Tensor({1}, Real(0))};
  std::vector<double> ds(std::size_t(setup.rows)), dz(std::size_t(setup.rows));
  double db = 0;
  const Index length = x.size() / setup.rows;
  constexpr double h = 1e-5;
  for (Index i = 0; i < x.size(); ++i) {
    const Index r = i / length;
    const double x0 = double(x[i]), s0 = double(in[1][r]), z0 = double(in[2][r]), b0 = setup.b;
    const Level level{setup.coding, s0, z0};
    const auto f = [&](double dx, double s, double z, double b) {
      return frozen(level, b0, x0, x0 + dx, s0 + s, z0 + z, b0 + b);
    };
    const double w = double(dy[i]) / (2 * h);
    g[0][i] = Real(w * (f(h, 0, 0, 0) - f(-h, 0, 0, 0)));
    ds[std::size_t(r)] += w * (f(0, h, 0, 0) - f(0, -h, 0, 0));
    dz[std::size_t(r)] += w * (f(0, 0, h, 0) - f(0, 0, -h, 0));
    db += w * (f(0, 0, 0, h) - f(0, 0, 0, -h));
  }
  for (Index r = 0; r < setup.rows; ++r) {
    g[1][r] = Real(ds[std::size_t(r)]);
    g[2][r] = Real(dz[std::size_t(r)]);
  }
  g[3][0] = Real(db);
  return g;
}

void check_gradients(const Setup& setup) {
  Tensor x = test::normal({3, 5, 11});
  for (Real& v : x.span()) v = std::round(v * 64) / 64 + Real(0.003);
  const std::vector<Tensor> inputs{x, setup.scale, setup.zero, Tensor({1}, Real(setup.b))};
  std::vector<Var> vars;
  for (const Tensor& t : inputs) vars.emplace_back(t, true);
  const Tensor dy = test::normal(x.shape(), 9);
  Tape tape;
  tape.backward(op::sum(op::mul(setup.function()(vars), Var(dy))));
  const std::vector<Tensor> expected = declared(setup, inputs, dy);
  for (std::size_t i = 0; i < vars.size(); ++i)
    test::check_close(vars[i].grad(), expected[i], test::exact ? 1e-6 : 2e-3,
                      test::exact ? 1e-7 : 2e-3);
}

}  // namespace

TEST_CASE("level_quant: gradients are differences of what is declared, residuals frozen") {
  for (const Coding coding : codings)
    for (const Index rows : {1, 3})
      for (const double b : {2.25, 3.5, 4.75})
        for (const bool zeros : {false, true}) check_gradients(make(coding, rows, b, zeros));
}

TEST_CASE("level_quant: a zero-point beyond the last whole step is that step, and 0 is a code") {
  // 5.73 steps: 5 whole ones, and an affine range that ends at 0 has its zero-point at n(b).
  const double b = 2.75;
  const Tensor x({4}, std::array<Real, 4>{Real(-1), Real(-0.05), Real(0), Real(0.3)});
  const auto run = [&](double zero) {
    std::vector<Var> in;
    for (const Real v : {Real(0.125), Real(zero), Real(b)}) in.emplace_back(Tensor({1}, v), true);
    in.emplace(in.begin(), x, true);
    Tape tape;
    const Var y = op::level_quant(in[0], in[1], in[2], in[3], Coding::natural);
    std::vector<std::vector<Real>> all{
        test::numbers(y.value()),
        test::numbers(tape.nodes().back()->attributes().get<Tensor>("zero"))};
    tape.backward(op::sum(op::mul(y, Var(test::normal({4}, 9)))));
    for (const Var& v : in) all.push_back(test::numbers(v.grad()));
    return all;
  };
  const auto beyond = run(std::exp2(b) - 1), whole = run(5);
  CHECK(beyond[0] == std::vector<Real>{Real(-0.625), 0, 0, 0});
  CHECK(beyond == whole);
  CHECK(run(-0.7) == run(0));
}

TEST_CASE("level_quant: rows with a width of their own are those rows alone, gradients too") {
  const Tensor widths({3}, std::array<Real, 3>{Real(2.25), Real(3.5), Real(4.75)});
  const Tensor x = test::normal({3, 5, 11}), dy = test::normal(x.shape(), 9);
  for (const Coding coding : codings) {
    const Setup setup = make(coding, 3, 0, true);
    const auto run = [&](const std::vector<Tensor>& in, const Tensor& by) {
      std::vector<Var> vars;
      for (const Tensor& t : in) vars.emplace_back(t, true);
      Tape tape;
      const Var y = setup.function()(vars);
      tape.backward(op::sum(op::mul(y, Var(by))));
      std::vector<Tensor> all{y.value()};
      for (const Var& v : vars) all.push_back(v.grad());
      return all;
    };
    const std::vector<Tensor> together = run({x, setup.scale, setup.zero, widths}, dy);
    for (Index r = 0; r < 3; ++r) {
      Tensor row({1, 5, 11}), by(row.shape());
      std::copy_n(x.data() + r * 55, 55, row.data());
      std::copy_n(dy.data() + r * 55, 55, by.data());
      const auto one = [r](const Tensor& t) { return Tensor({1}, t[r]); };
      const std::vector<Tensor> alone =
          run({row, one(setup.scale), one(setup.zero), one(widths)}, by);
      for (std::size_t k = 0; k < alone.size(); ++k)
        for (Index i = 0; i < alone[k].size(); ++i)
          CHECK(together[k][r * alone[k].size() + i] == alone[k][i]);
    }
  }
}

TEST_CASE("level_quant: gradients are the same formula, written out") {
  const Setup setup = make(Coding::symmetric, 1, 3.5, false);
  test::surrogate_check("level_quant", setup.function(),
                        {test::away_from({0}, test::normal({7, 9})), setup.scale, setup.zero,
                         Tensor({1}, Real(setup.b))},
                        [&](std::span<const Tensor> in, const Tensor& dy) {
                          const double s = double(in[1][0]);
                          const Level level{setup.coding, s, 0};
                          Tensor dx(in[0].shape());
                          double ds = 0, dz = 0, db = 0;
                          for (Index i = 0; i < dx.size(); ++i) {
                            const double u = double(in[0][i]) / s, g = double(dy[i]), b = setup.b;
                            const bool inside = level.lo(b) <= u && u <= level.hi(b);
                            dx[i] = inside ? dy[i] : 0;
                            ds += g * (level.code(double(in[0][i]), b) - (inside ? u : 0));
                            dz -= inside ? 0 : g * s;
                            db += inside ? 0 : (u > 0 ? 1 : -1) * g * s * std::log(2.0) * half(b);
                          }
                          return std::vector<Tensor>{dx, Tensor({1}, Real(ds)),
                                                     Tensor({1}, Real(dz)), Tensor({1}, Real(db))};
                        });
}

TEST_CASE("level_quant: with its scale, b pulls at what is inside and not at what is clipped") {
  // dL/db = -s n' / n sum dy (q - clamp(u, -n, n)): what is clipped counts by the rounding of
  // the end alone.
  const Tensor x = test::normal({400});
  const double b0 = 3.5;
  const Tensor table({2, 1}, std::array<Real, 2>{Real(0.5), Real(0.5) * 3 / 7});  // one alpha
  Tape tape;
  const Var b(Tensor({1}, Real(b0)), true);
  const Var s = op::level_scale(b, Var(table), Coding::symmetric, Widths::range(3, 4));
  const Tensor dy = test::normal({400}, 4);
  const Var y = op::level_quant(Var(x), s, Var(Tensor({1}, Real(0))), b, Coding::symmetric);
  tape.backward(op::sum(op::mul(y, Var(dy))));
  const double scale = double(s.value().item());
  const Level level{Coding::symmetric, scale, 0};
  const double n = level.steps(b0);
  double kb = 0;
  for (Index i = 0; i < x.size(); ++i)
    kb += double(dy[i]) * (level.code(double(x[i]), b0) - std::clamp(double(x[i]) / scale, -n, n));
  // Between hi and n the residual is not the rounding's alone: the clamp passes no gradient there.
  double between = 0;
  for (Index i = 0; i < x.size(); ++i) {
    const double u = double(x[i]) / scale;
    if (std::abs(u) > level.hi(b0) && std::abs(u) < n)
      between += double(dy[i]) * (u - std::copysign(n, u));
  }
  const double expected = -scale * std::log(2.0) * half(b0) / n * (kb + between);
  CHECK(double(b.grad().item()) == doctest::Approx(expected).epsilon(1e-3));
}

TEST_CASE("level_quant: whole widths are those of fake_quant, to the bit") {
  for (const Coding coding : codings)
    for (const Index rows : {1, 41})
      for (int bits = 2; bits <= 8; ++bits) {
        const Setup setup = make(coding, rows, bits, true);
        const Tensor x = test::normal({41, 19});
        const Var level = op::level_quant(Var(x), Var(setup.scale), Var(setup.zero),
                                          Var(Tensor({1}, Real(bits))), coding);
        const Shape table{1, rows};
        const Var fixed =
            op::fake_quant(Var(x), Var(Tensor({1}, Real(1))), Var(setup.scale.reshape(table)),
                           Var(setup.zero.reshape(table)), {coding, Widths::one(bits), 0, 1});
        CHECK(test::numbers(level.value()) == test::numbers(fixed.value()));
      }
}

TEST_CASE("level_quant: the numbers of levels of the paper, and none beyond") {
  const std::vector<std::pair<double, std::size_t>> twos = {
      {2, 4}, {2.5, 4}, {3.5, 10}, {4, 16}, {4.25, 18}, {4.5, 22}, {4.75, 26}, {5.5, 44}};
  Tensor x({4001});
  for (Index i = 0; i < x.size(); ++i) x[i] = Real(i - 2000) / 20;
  const Var one(Tensor({1}, Real(1))), none(Tensor({1}, Real(0)));
  const auto levels = [&](double b, Coding coding) {
    const Var y = op::level_quant(Var(x), one, none, Var(Tensor({1}, Real(b))), coding);
    return std::set<Real>(y.value().data(), y.value().data() + y.value().size());
  };
  for (const auto& [b, count] : twos) CHECK(levels(b, Coding::twos).size() == count);
  CHECK(*levels(5.5, Coding::symmetric).rbegin() == 21);  // 21.6 would round to 22
  CHECK(*levels(4.25, Coding::symmetric).rbegin() == 8);  // and 8.5 to 9
  for (int m = 5; m <= 15; m += 2)  // widths that stand for whole numbers of levels
    CHECK(levels(std::log2(double(m + 1)), Coding::symmetric).size() == std::size_t(m));
}

TEST_CASE("level_quant: same bits for any number of threads") {
  for (const Index rows : {1, 37}) {
    const Setup setup = make(Coding::twos, rows, 3.3, false);
    test::same_bits_for_any_threads(setup.function(), {test::normal({37, 2111}), setup.scale,
                                                       setup.zero, Tensor({1}, Real(3.3))});
  }
}

TEST_CASE("level_quant: what does not fit is refused") {
  const Var x(test::normal({3, 4})), one(Tensor({1}, Real(1)));
  CHECK_THROWS_WITH_AS(op::level_quant(x, one, one, Var(Tensor({1}, Real(9))), Coding::twos),
                       "[level_quant] bit-width out of range: got 9; expected 2 to 8", Error);
  CHECK_THROWS_WITH_AS(op::level_quant(x, one, one, Var(Tensor({2}, Real(4))), Coding::twos),
                       "[level_quant] one bit-width wanted: got shape [2]; expected [1]", Error);
  const Var two(Tensor({2}, Real(1)));
  CHECK_THROWS_WITH_AS(op::level_quant(x, two, two, Var(Tensor({1}, Real(4))), Coding::twos),
                       "[level_quant] rows differ: got scale [2] and zero [2] for x of [3, 4]; "
                       "expected both [1] or one for each of the first dimension",
                       Error);
  Tape tape;
  const Var rows(Tensor({3}, Real(1)), true), widths(Tensor({3}, Real(4)));
  op::level_quant(x, rows, rows, widths, Coding::twos);
  CHECK_THROWS_WITH_AS(tape.nodes().back()->attributes(),
                       "[level_quant] levels of each row have no codes in common: got 3 "
                       "bit-widths; expected one; try freezing the bits first",
                       Error);
}

TEST_CASE("level_quant: as PyTorch") {
  const Var zero(Tensor({4}, Real(0)));
  test::as_pytorch("level_quant/all", [&](std::span<const Var> in) {
    return op::level_quant(in[0], in[1], zero, in[2], Coding::symmetric);
  });
}

}  // namespace fraqat::level_quant_test
