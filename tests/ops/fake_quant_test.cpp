#include <algorithm>
#include <cmath>
#include <set>

#include "quant/ops.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/op_test.hpp"

namespace fraqat::fake_quant_test {

using quant::Coding;
using quant::Widths;

namespace {

/// One fake quantization as the paper has it: divide, round, clamp, back.
struct Level {
  double scale, zero, lo, hi;

  double u(double x) const { return x / scale + zero; }
  bool inside(double x) const { return lo <= u(x) && u(x) <= hi; }
  double code(double x) const {  // ties to even, by hand
    const double v = x / scale;
    double whole = std::floor(v);
    const double rest = v - whole;
    if (rest > 0.5 || (rest == 0.5 && std::fmod(whole, 2) != 0)) ++whole;
    return std::min(std::max(whole + zero, lo), hi);
  }
  double value(double x) const { return scale * (code(x) - zero); }
  double slope(double x) const {  // dQ/ds of LSQ
    return inside(x) ? code(x) - u(x) : code(x) - zero;
  }
  double shift(double x) const { return inside(x) ? 0 : -scale; }  // dQ/dzero of LSQ+
};

struct Setup {
  Coding coding = Coding::symmetric;
  Widths widths = Widths::range(2, 5);
  Index rows = 1;
  Tensor zero;

  Level level(const Tensor& scale, Index j, Index row) const {
    const int bits = widths[static_cast<int>(j)];
    const double half = std::pow(2.0, bits - 1);
    const double lo = coding == Coding::symmetric ? 1 - half : coding == Coding::twos ? -half : 0;
    const double hi = coding == Coding::natural ? 2 * half - 1 : half - 1;
    const double z = double(zero[j * rows + row]);
    return {double(scale[j * rows + row]), std::nearbyint(z), lo, hi};
  }

  op::FakeQuantOptions options() const { return {coding, widths, 0, widths.count()}; }

  test::Function function() const {
    return [*this](std::span<const Var> in) {
      return op::fake_quant(in[0], in[1], in[2], in.size() > 3 ? in[3] : Var(zero), options());
    };
  }
};

Setup make(Coding coding, Index rows, bool zeros) {
  Setup setup{coding, Widths::range(2, 5), rows, Tensor({4, rows}, Real(0))};
  if (zeros)
    for (Index i = 0; i < setup.zero.size(); ++i) setup.zero[i] = Real(i % 3) + Real(0.3);
  return setup;
}

Tensor scales(const Setup& setup) {
  Tensor s({setup.widths.count(), setup.rows});
  for (Index j = 0; j < s.dim(0); ++j)
    for (Index r = 0; r < setup.rows; ++r)
      s[j * setup.rows + r] = Real(0.7) / Real(1 << j) * (1 + Real(0.1) * Real(r));
  return s;
}

Tensor one_hot(Index count, Index at) {
  Tensor p({count}, Real(0));
  p[at] = 1;
  return p;
}

/// The declared gradient, written out element by element.
std::vector<Tensor> declared(const Setup& setup, std::span<const Tensor> in, const Tensor& dy) {
  const Tensor &x = in[0], &p = in[1], &s = in[2];
  std::vector<Tensor> g{Tensor(x.shape(), Real(0)), Tensor(p.shape(), Real(0)),
                        Tensor(s.shape(), Real(0)), Tensor(s.shape(), Real(0))};
  const Index length = x.size() / setup.rows, count = setup.widths.count();
  for (Index j = 0; j < count; ++j)
    for (Index row = 0; row < setup.rows; ++row) {
      const Level level = setup.level(s, j, row);
      const Index at = p.rank() == 1 ? j : row * count + j;
      double D = 0, S = 0, Z = 0;
      for (Index i = row * length; i < (row + 1) * length; ++i) {
        if (level.inside(double(x[i]))) g[0][i] += p[at] * dy[i];
        D += double(dy[i]) * level.value(double(x[i]));
        S += double(dy[i]) * level.slope(double(x[i]));
        Z += double(dy[i]) * level.shift(double(x[i]));
      }
      g[1][at] += Real(D);
      g[2][j * setup.rows + row] = Real(double(p[at]) * S);
      g[3][j * setup.rows + row] = Real(double(p[at]) * Z);
    }
  return g;
}

}  // namespace

TEST_CASE("fake_quant: straight-through gradients follow their declared formula") {
  for (const Coding coding : {Coding::symmetric, Coding::twos, Coding::natural})
    for (const Index rows : {1, 3})
      for (const bool zeros : {false, true}) {
        const Setup setup = make(coding, rows, zeros);
        const Tensor mixture({4}, std::array<Real, 4>{Real(0.1), Real(0.4), Real(0.3), Real(0.2)});
        for (const Tensor& p : {mixture, one_hot(4, 2)})
          for (const Shape& shape : {Shape{3, 17}, Shape{3, 1, 5}, Shape{3, 40, 200}}) {
            // No x within rounding of a decision, so that float and double agree on it.
            Tensor x = test::normal(shape);
            for (Real& v : x.span()) v = std::round(v * 64) / 64 + Real(0.003);
            test::surrogate_check("fake_quant", setup.function(), {x, p, scales(setup), setup.zero},
                                  [&](std::span<const Tensor> in, const Tensor& dy) {
                                    return declared(setup, in, dy);
                                  });
          }
      }
}

namespace {

/// Weights of three rows: a mixture, and two rows that are one-hot at different widths.
Tensor weights_by_row() {
  return Tensor({3, 4}, std::array<Real, 12>{Real(0.1), Real(0.4), Real(0.3), Real(0.2),  //
                                             0, 0, 0, 1,                                  //
                                             1, 0, 0, 0});
}

}  // namespace

TEST_CASE("fake_quant: rows of weights of their own follow the same formula, each for itself") {
  for (const Coding coding : {Coding::symmetric, Coding::twos, Coding::natural})
    for (const bool zeros : {false, true}) {
      const Setup setup = make(coding, 3, zeros);
      for (const Shape& shape : {Shape{3, 17}, Shape{3, 1, 5}, Shape{3, 40, 200}}) {
        Tensor x = test::normal(shape);
        for (Real& v : x.span()) v = std::round(v * 64) / 64 + Real(0.003);
        test::surrogate_check(
            "fake_quant", setup.function(), {x, weights_by_row(), scales(setup), setup.zero},
            [&](std::span<const Tensor> in, const Tensor& dy) { return declared(setup, in, dy); });
      }
    }
  test::gradcheck(make(Coding::natural, 3, true).function(),
                  {test::normal({3, 7}), test::uniform({3, 4}, Real(0.1), 1),
                   scales(make(Coding::natural, 3, true))},
                  1e-6, {false, true, false});
}

TEST_CASE("fake_quant: a row of its own width is that row quantized alone, to the bit") {
  const Setup setup = make(Coding::symmetric, 3, false);
  const Tensor x = test::normal({3, 19}), p = weights_by_row(), s = scales(setup);
  const Tensor y = op::fake_quant(Var(x), Var(p), Var(s), Var(setup.zero), setup.options()).value();
  for (Index row = 0; row < 3; ++row) {
    Tensor alone({1, 19}), weights({4}), scale({4, 1});
    std::copy_n(x.data() + row * 19, 19, alone.data());
    std::copy_n(p.data() + row * 4, 4, weights.data());
    for (Index j = 0; j < 4; ++j) scale[j] = s[j * 3 + row];
    const Tensor expected = op::fake_quant(Var(alone), Var(weights), Var(scale),
                                           Var(Tensor({4, 1}, Real(0))), setup.options())
                                .value();
    for (Index i = 0; i < 19; ++i) CHECK(y[row * 19 + i] == expected[i]);
  }
}

TEST_CASE("fake_quant: the graph is told the width of every row") {
  const Setup setup = make(Coding::symmetric, 3, false);
  Tensor p({3, 4}, Real(0));
  for (Index row = 0; row < 3; ++row) p[row * 4 + row] = 1;
  const Tensor s = scales(setup);
  Tape tape(Tape::Records::graph);
  op::fake_quant(Var(test::normal({3, 5})), Var(p), Var(s), Var(setup.zero), setup.options());
  const Attributes told = tape.nodes().back()->attributes();
  CHECK(test::numbers(told.get<Tensor>("bits")) == std::vector<Real>{2, 3, 4});
  CHECK(test::numbers(told.get<Tensor>("lo")) == std::vector<Real>{-1, -3, -7});
  CHECK(test::numbers(told.get<Tensor>("hi")) == std::vector<Real>{1, 3, 7});
  CHECK(test::numbers(told.get<Tensor>("step")) == std::vector<Real>{1, 1, 1});
  CHECK(test::numbers(told.get<Tensor>("scale")) == std::vector<Real>{s[0], s[4], s[8]});
}

TEST_CASE("fake_quant: binary weights are signs, straight through within one scale") {
  const double scale = 0.6;
  Tensor x = test::normal({3, 17});
  for (Real& v : x.span()) v = std::round(v * 64) / 64 + Real(0.003);
  const op::FakeQuantOptions options{Coding::symmetric, Widths::one(1), 0, 1};
  const Tensor zero({1, 1}, Real(0));
  test::surrogate_check(
      "fake_quant",
      [&](std::span<const Var> in) {
        return op::fake_quant(in[0], in[1], in[2], Var(zero), options);
      },
      {x, Tensor({1}, Real(1)), Tensor({1, 1}, Real(scale))},
      [&](std::span<const Tensor> in, const Tensor& dy) {
        Tensor dx(in[0].shape());
        double D = 0, S = 0;
        const double s = double(in[2][0]);
        for (Index i = 0; i < x.size(); ++i) {
          const double u = double(in[0][i]) / s, sign = u < 0 ? -1 : 1;
          const bool inside = u >= -1 && u <= 1;
          dx[i] = inside ? dy[i] : Real(0);
          D += double(dy[i]) * s * sign;
          S += double(dy[i]) * (inside ? sign - u : sign);
        }
        return std::vector<Tensor>{dx, Tensor({1}, Real(D)), Tensor({1, 1}, Real(S))};
      });
  const Tensor y = op::fake_quant(Var(x), Var(Tensor({1}, Real(1))),
                                  Var(Tensor({1, 1}, Real(scale))), Var(zero), options)
                       .value();
  for (Index i = 0; i < x.size(); ++i) CHECK(y[i] == (x[i] < 0 ? Real(-scale) : Real(scale)));
}

TEST_CASE("fake_quant: linear in the weights of the candidates") {
  const Setup setup = make(Coding::natural, 1, true);
  test::gradcheck(setup.function(),
                  {test::normal({5, 7}), test::uniform({4}, Real(0.1), 1), scales(setup)}, 1e-6,
                  {false, true, false});
}

TEST_CASE("fake_quant: one-hot weights are exactly the fixed width") {
  for (const Coding coding : {Coding::symmetric, Coding::twos, Coding::natural})
    for (Index j = 0; j < 4; ++j) {
      const Setup setup = make(coding, 1, false);
      const Tensor s = scales(setup), x = test::normal({41, 19});
      const Var many =
          op::fake_quant(Var(x), Var(one_hot(4, j)), Var(s), Var(setup.zero), setup.options());
      const Widths width = Widths::one(setup.widths[static_cast<int>(j)]);
      const Var fixed = op::fake_quant(Var(x), Var(Tensor({1}, Real(1))), Var(Tensor({1, 1}, s[j])),
                                       Var(Tensor({1, 1}, Real(0))), {coding, width, 0, 1});
      CHECK(test::numbers(many.value()) == test::numbers(fixed.value()));
    }
}

TEST_CASE("fake_quant: with relu, the bits of relu before it") {
  for (const Coding coding : {Coding::twos, Coding::natural})
    for (const bool mixed : {false, true}) {
      const Setup setup = make(coding, 1, coding == Coding::natural);
      const auto bits = [&](bool in_one) {
        op::FakeQuantOptions options = setup.options();
        options.relu = in_one;
        const Var x(test::normal({3, 50}, 4), true), scale(scales(setup), true);
        Var p(mixed ? test::uniform({4}, 0, 1, 5) : one_hot(4, 2), true);
        const Var zero(setup.zero, true);
        Tape tape;
        const Var y = op::fake_quant(in_one ? x : op::relu(x), p, scale, zero, options);
        tape.backward(op::sum(op::mul(y, y)));
        std::vector<std::vector<Real>> all;
        for (const Tensor& t : {y.value(), x.grad(), p.grad(), scale.grad(), zero.grad()})
          all.push_back(test::numbers(t));
        return all;
      };
      CHECK(bits(true) == bits(false));
    }
  op::FakeQuantOptions weights = make(Coding::symmetric, 1, false).options();
  weights.relu = true;
  CHECK_THROWS_WITH_AS(
      op::fake_quant(Var(Tensor({2}, Real(1))), Var(one_hot(4, 0)), Var(Tensor({4, 1}, Real(1))),
                     Var(Tensor({4, 1}, Real(0))), weights),
      "[fake_quant] relu of a tensor that is coded as a weight: got x; expected an activation",
      Error);
}

TEST_CASE("fake_quant: dy is left alone where somebody else holds it") {
  const Setup setup = make(Coding::natural, 1, false);
  const Var x(test::normal({40}, 1), true), other(test::normal({40}, 2), true);
  Tape tape;
  const Var y =
      op::fake_quant(x, Var(one_hot(4, 1)), Var(scales(setup)), Var(setup.zero), setup.options());
  tape.backward(op::sum(op::add(y, other)));  // add passes one dy to both
  CHECK(test::numbers(other.grad()) == std::vector<Real>(40, Real(1)));
}

TEST_CASE("fake_quant: few levels, idempotent, monotone, half a step off at most") {
  for (const Coding coding : {Coding::symmetric, Coding::twos, Coding::natural})
    for (Index j = 0; j < 4; ++j) {
      const Setup setup = make(coding, 1, true);
      const Tensor s = scales(setup), p = one_hot(4, j);
      Tensor x = test::normal({1000});
      std::sort(x.data(), x.data() + x.size());
      const auto q = [&](const Tensor& t) {
        return op::fake_quant(Var(t), Var(p), Var(s), Var(setup.zero), setup.options()).value();
      };
      const Tensor y = q(x);
      const Level level = setup.level(s, j, 0);
      CHECK(std::set<Real>(y.data(), y.data() + y.size()).size() <=
            std::size_t{1} << setup.widths[static_cast<int>(j)]);
      CHECK(test::numbers(q(y)) == test::numbers(y));
      CHECK(std::is_sorted(y.data(), y.data() + y.size()));
      for (Index i = 0; i < x.size(); ++i)
        if (level.inside(double(x[i])))
          CHECK(std::abs(double(y[i] - x[i])) <= level.scale / 2 * (1 + 1e-5));
      CHECK(q(Tensor({1}, Real(0))).item() == 0);  // zero is exact, whatever the zero-point
    }
}

TEST_CASE("fake_quant: ties go to even") {
  const Tensor x({6}, std::array<Real, 6>{Real(0.5), Real(1.5), Real(2.5), Real(-0.5), Real(-1.5),
                                          Real(-2.5)});
  const Var y = op::fake_quant(Var(x), Var(Tensor({1}, Real(1))), Var(Tensor({1, 1}, Real(1))),
                               Var(Tensor({1, 1}, Real(0))), {Coding::twos, Widths::one(4), 0, 1});
  CHECK(test::numbers(y.value()) == std::vector<Real>{0, 2, 2, 0, -2, -2});
}

TEST_CASE("fake_quant: only the candidates asked for get a gradient") {
  const Setup setup = make(Coding::symmetric, 1, false);
  Tape tape;
  const Var x(test::normal({9})), p(one_hot(4, 1), true), s(scales(setup));
  op::FakeQuantOptions options = setup.options();
  options.first = 1;
  options.last = 3;
  tape.backward(op::sum(op::fake_quant(x, p, s, Var(setup.zero), options)));
  CHECK(p.grad()[0] == 0);
  CHECK(p.grad()[1] != 0);
  CHECK(p.grad()[2] != 0);
  CHECK(p.grad()[3] == 0);
}

TEST_CASE("fake_quant: same bits for any number of threads") {
  for (const Index rows : {1, 37}) {
    const Setup setup = make(Coding::symmetric, rows, false);
    const Tensor p({4}, std::array<Real, 4>{Real(0.1), Real(0.4), Real(0.3), Real(0.2)});
    test::same_bits_for_any_threads(setup.function(),
                                    {test::normal({37, 2111}), p, scales(setup), setup.zero});
    if (rows > 1)
      test::same_bits_for_any_threads(
          setup.function(),
          {test::normal({37, 2111}), test::uniform({rows, 4}, 0, 1), scales(setup), setup.zero});
  }
}

TEST_CASE("fake_quant: what does not fit is refused") {
  const Setup setup = make(Coding::symmetric, 1, false);
  const Var x(test::normal({3, 4})), p(one_hot(4, 0)), s(scales(setup));
  const auto call = [&](const Var& pp, const Var& ss, const Tensor& z) {
    op::FakeQuantOptions options = setup.options();
    options.tensor = "conv1.weight_q";
    op::fake_quant(x, pp, ss, Var(z), options);
  };
  CHECK_THROWS_WITH_AS(call(Var(one_hot(3, 0)), s, setup.zero),
                       "[fake_quant] one weight for each candidate width: got p of [3]; expected "
                       "[4]",
                       Error);
  CHECK_THROWS_WITH_AS(call(p, Var(Tensor({4}, Real(1))), setup.zero),
                       "[fake_quant] one range for each width and row: got scale [4] and zero "
                       "[4, 1]; expected both [4, rows]",
                       Error);
  CHECK_THROWS_WITH_AS(call(p, Var(Tensor({4, 2}, Real(1))), Tensor({4, 2}, Real(0))),
                       "[fake_quant] rows differ: got 2 ranges for x of [3, 4]; expected 1 or one "
                       "for each of the first dimension",
                       Error);
  CHECK_THROWS_WITH_AS(call(Var(Tensor({2, 4}, Real(1))), s, setup.zero),
                       "[fake_quant] rows differ: got p of [2, 4] with 1 ranges; expected one for "
                       "each row of p",
                       Error);
  CHECK_THROWS_WITH_AS(call(p, Var(Tensor({4, 1}, Real(0))), setup.zero),
                       "[fake_quant] the range of conv1.weight_q collapsed: got scale 0; expected "
                       "a positive number; try a smaller rate or clip, a smaller range rate, or "
                       "another range policy",
                       Error);
  for (const Real bad : {std::nan(""), HUGE_VAL}) {
    CHECK_THROWS_AS(call(p, Var(Tensor({4, 1}, bad)), setup.zero), Error);
    CHECK_THROWS_AS(call(p, s, Tensor({4, 1}, bad)), Error);
  }
}

TEST_CASE("fake_quant: as PyTorch") {
  const auto run = [](const char* golden, Coding coding, const Widths& widths) {
    const op::FakeQuantOptions options{coding, widths, 0, widths.count()};
    test::as_pytorch(golden, [&](std::span<const Var> in) {
      return op::fake_quant(in[0], in[1], in[2], in[3], options);
    });
  };
  run("fake_quant/weights", Coding::symmetric, Widths::range(2, 5));
  run("fake_quant/images", Coding::natural, Widths::range(2, 5));
  run("fake_quant/builtin", Coding::natural, Widths::one(4));
}

}  // namespace fraqat::fake_quant_test
