#include "tests/support/reduction.hpp"

#include <algorithm>
#include <string>

namespace fraqat::test {
namespace {

struct Reduced {
  Shape x;
  std::vector<int> axes;
  Shape without, kept;
};

const std::vector<Reduced> reductions = {
    {{}, {}, {}, {}},
    {{7}, {}, {}, {1}},
    {{7}, {0}, {}, {1}},
    {{3, 17}, {1}, {3}, {3, 1}},
    {{3, 17}, {-2}, {17}, {1, 17}},
    {{3, 17}, {0, 1}, {}, {1, 1}},
    {{2, 3, 9}, {0, 2}, {3}, {1, 3, 1}},
    {{2, 3, 5}, {2, 0}, {3}, {1, 3, 1}},
    {{2, 3, 9}, {1}, {2, 9}, {2, 1, 9}},
    {{1, 5, 1, 3}, {1, -1}, {1, 1}, {1, 1, 1, 1}},
    {{2, 3, 2, 5, 2}, {1, 3}, {2, 2, 2}, {2, 1, 2, 1, 2}},
    {{2, 3, 2, 5, 2}, {0, 2, 4}, {3, 5}, {1, 3, 1, 5, 1}},
};

const std::vector<Reduced> large_reductions = {
    {{37, 5021}, {}, {}, {1, 1}},
    {{37, 5021}, {0}, {5021}, {1, 5021}},
    {{37, 5021}, {1}, {37}, {37, 1}},
    {{5021, 3}, {0}, {3}, {1, 3}},
    {{9, 70, 7, 33}, {0, 2}, {70, 33}, {1, 70, 1, 33}},
};

Function over(const Reducing& op, const Reduced& p, bool keepdim) {
  return [f = op.f, axes = p.axes, keepdim](std::span<const Var> x) {
    return f(x[0], Axes(axes), keepdim);
  };
}

// Where each element of x goes: its position without the joined dimensions.
Index target_of(Index i, const Reduced& p) {
  Index target = 0, step = 1;
  for (int d = p.x.rank() - 1; d >= 0; --d) {
    const Index here = i % p.x[d];
    i /= p.x[d];
    if (p.kept[d] != p.x[d]) continue;
    target += here * step;
    step *= p.x[d];
  }
  return target;
}

void check_values(const Reducing& op, const Reduced& p, const Tensor& x) {
  std::vector<std::vector<double>> members(static_cast<std::size_t>(p.kept.size()));
  for (Index i = 0; i < x.size(); ++i)
    members[static_cast<std::size_t>(target_of(i, p))].push_back(double(x[i]));
  Tensor expected(p.without);
  for (Index k = 0; k < expected.size(); ++k)
    expected[k] = static_cast<Real>(op.naive(members[static_cast<std::size_t>(k)]));
  const double rtol = exact ? 1e-11 : 2e-6, atol = exact ? 1e-10 : op.float_error;
  check_close(op.f(Var(x), Axes(p.axes), false).value(), expected, rtol, atol);
  const Var kept = op.f(Var(x), Axes(p.axes), true);
  CHECK(kept.shape() == p.kept);
  check_close(kept.value().reshape(p.without), expected, rtol, atol);
}

}  // namespace

void check_reduction(std::string_view name, const Reducing& op) {
  for (const Reduced& p : reductions) {
    const Tensor x = op.inputs(p.x);
    check_values(op, p, x);
    gradcheck(over(op, p, false), {x});
    gradcheck(over(op, p, true), {x});
  }
  for (const Reduced& p : large_reductions) {
    const Tensor x = op.inputs(p.x);
    check_values(op, p, x);
    same_bits_for_any_threads(over(op, p, false), {x});
  }
  const std::string who = '[' + std::string(name) + "] ";
  const Var x(Tensor({2, 3}, Real(0)));
  CHECK_THROWS_WITH_AS(op.f(x, {2}, false),
                       (who + "no such axis: got 2 for x [2, 3]; expected -2 to 1").c_str(), Error);
  CHECK_THROWS_WITH_AS(op.f(x, {-3}, false),
                       (who + "no such axis: got -3 for x [2, 3]; expected -2 to 1").c_str(),
                       Error);
  CHECK_THROWS_WITH_AS(op.f(Var(Tensor::scalar(0)), {0}, false),
                       (who + "no such axis: got 0 for a scalar; expected none").c_str(), Error);
  CHECK_THROWS_WITH_AS(op.f(x, {1, -1}, false),
                       (who + "an axis is named twice: got -1 for x [2, 3]; expected each once at "
                              "most")
                           .c_str(),
                       Error);
}

void reduction_as_pytorch(std::string_view name, const Reducing& op) {
  const auto compare = [&](const char* golden, const Axes& axes, bool keepdim) {
    as_pytorch(
        std::string(name) + golden,
        [&](std::span<const Var> x) { return op.f(x[0], axes, keepdim); }, 1e-5, 1e-6);
  };
  compare("/all", {}, false);
  compare("/last", {-1}, false);
  compare("/first", {0}, false);
  compare("/outer", {0, 2}, false);
  compare("/kept", {1, -1}, true);
}

}  // namespace fraqat::test
