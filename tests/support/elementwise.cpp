#include "tests/support/elementwise.hpp"

#include <cmath>
#include <utility>

namespace fraqat::test {
namespace {

constexpr double rtol = exact ? 1e-12 : 2e-6, atol = exact ? 1e-12 : 1e-6;

Function spread(const Unary& op) {
  return [f = op.f](std::span<const Var> x) { return f(x[0]); };
}

Function spread(const Binary& op) {
  return [f = op.f](std::span<const Var> x) { return f(x[0], x[1]); };
}

void check_values(const Unary& op, const Tensor& x) {
  Tensor expected(x.shape());
  for (Index i = 0; i < x.size(); ++i) expected[i] = static_cast<Real>(op.naive(double(x[i])));
  check_close(op.f(Var(x)).value(), expected, rtol, atol);
}

struct Pattern {
  Shape a, b, y;
};

const std::vector<Pattern> patterns = {
    {{}, {}, {}},
    {{3, 5}, {3, 5}, {3, 5}},
    {{7}, {}, {7}},
    {{}, {7}, {7}},
    {{2, 3}, {1}, {2, 3}},
    {{1}, {2, 3}, {2, 3}},
    {{3}, {1, 1}, {1, 3}},
    {{4, 5}, {5}, {4, 5}},
    {{5}, {4, 5}, {4, 5}},
    {{4, 9}, {4, 1}, {4, 9}},
    {{4, 1}, {1, 5}, {4, 5}},
    {{3, 1}, {9}, {3, 9}},
    {{2, 3, 4}, {3, 1}, {2, 3, 4}},
    {{2, 1, 4}, {1, 3, 1}, {2, 3, 4}},
    {{2, 3, 5}, {2, 1, 1}, {2, 3, 5}},
    {{2, 1, 3, 1, 2}, {2, 1, 3, 1}, {2, 2, 3, 3, 2}},
    {{1, 2, 3, 1, 9}, {2, 1, 1, 2, 1}, {2, 2, 3, 2, 9}},
};

const std::vector<Pattern> large_patterns = {
    {{37, 1021}, {37, 1021}, {37, 1021}}, {{37, 1021}, {1}, {37, 1021}},
    {{37, 1021}, {1021}, {37, 1021}},     {{37, 1021}, {37, 1}, {37, 1021}},
    {{1, 1021}, {37, 1}, {37, 1021}},     {{5, 40, 7, 33}, {40, 1, 33}, {5, 40, 7, 33}},
};

void check_pattern(const Binary& op, const Pattern& p, const Tensor& a, const Tensor& b) {
  const Tensor y = op.f(Var(a), Var(b)).value();
  REQUIRE(y.shape() == p.y);
  Tensor expected(p.y);
  for (Index i = 0; i < y.size(); ++i)
    expected[i] = static_cast<Real>(
        op.naive(double(stretched_at(a, p.y, i)), double(stretched_at(b, p.y, i))));
  check_close(y, expected, rtol, atol);
}

}  // namespace

void check_unary(const Unary& op) {
  for (const Shape& shape : odd_shapes) {
    Tensor x = uniform(shape, op.low, op.high);
    check_values(op, x);
    for (const Real kink : op.kinks) x = away_from({kink}, std::move(x));
    gradcheck(spread(op), {x});
  }
  std::vector<Real> points = op.kinks;
  points.insert(points.end(), op.edges.begin(), op.edges.end());
  if (!points.empty()) check_values(op, Tensor({static_cast<Index>(points.size())}, points));
  same_bits_for_any_threads(spread(op), {uniform({37, 1021}, op.low, op.high)});
}

void unary_as_pytorch(std::string_view name, const Unary& op) {
  as_pytorch(std::string(name) + "/all", spread(op), 1e-5, 1e-6);
}

void check_points(const std::function<Var(const Var&)>& f, const std::vector<Point>& points) {
  constexpr Real tolerance = exact ? Real(1e-14) : Real(1e-6);
  const auto same = [](Real a, Real b) {
    return a == b || (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= tolerance * std::abs(b);
  };
  for (const Point& p : points) {
    Tape tape;
    const Var x(Tensor({1}, p.x), true);
    const Var y = f(x);
    tape.backward(y);
    CHECK_MESSAGE(same(y.value()[0], p.y), "at ", p.x, ": ", y.value()[0], " against ", p.y);
    CHECK_MESSAGE(same(x.grad()[0], p.dy_dx), "derivative at ", p.x, ": ", x.grad()[0], " against ",
                  p.dy_dx);
  }
}

void check_binary(std::string_view name, const Binary& op) {
  for (const Pattern& p : patterns) {
    const Tensor a = op.a(p.a, 1), b = op.b(p.b, 2);
    check_pattern(op, p, a, b);
    gradcheck(spread(op), {a, b});
  }
  for (const Pattern& p : large_patterns) {
    const Tensor a = op.a(p.a, 1), b = op.b(p.b, 2);
    check_pattern(op, p, a, b);
    same_bits_for_any_threads(spread(op), {a, b});
  }
  const Var matrix(Tensor({2, 3}, Real(1))), two(Tensor({2}, Real(1)));
  const std::string who = '[' + std::string(name) + "] ";
  CHECK_THROWS_WITH_AS(op.f(matrix, two),
                       (who + "shapes do not broadcast: got [2, 3] and [2]; expected extents that, "
                              "aligned at the end, are equal or 1")
                           .c_str(),
                       Error);
  for (const auto& [a, b] : {std::pair(matrix, Var()), std::pair(Var(), matrix)})
    CHECK_THROWS_WITH_AS(op.f(a, b),
                         (who + "an operand is none: got no tensor; expected one").c_str(), Error);
}

void binary_as_pytorch(std::string_view name, const Binary& op) {
  for (const char* pattern : {"/equal", "/scalar", "/row", "/column", "/outer"})
    as_pytorch(std::string(name) + pattern, spread(op), 1e-5, 1e-6);
}

Real stretched_at(const Tensor& x, const Shape& shape, Index i) {
  Index at = 0, step = 1;
  for (int d = 1; d <= shape.rank(); ++d) {
    const Index here = i % shape[-d];
    i /= shape[-d];
    if (d > x.rank()) continue;
    if (x.dim(-d) > 1) at += here * step;
    step *= x.dim(-d);
  }
  return x[at];
}

}  // namespace fraqat::test
