#pragma once

#include <functional>
#include <limits>
#include <string_view>
#include <vector>

#include "tests/support/golden.hpp"

/// What the tests of operators that work element by element have in common.
namespace fraqat::test {

inline constexpr Real inf = std::numeric_limits<Real>::infinity();
inline constexpr Real nan = std::numeric_limits<Real>::quiet_NaN();

/// An operator of one operand.
struct Unary {
  std::function<Var(const Var&)> f;
  double (*naive)(double);       // the formula, written a second time
  Real low = -4, high = 4;       // where inputs are drawn from
  std::vector<Real> kinks = {};  // kept away from for the gradient, else compared too
  std::vector<Real> edges = {};  // further inputs whose values are compared
};

/// Values against the naive formula, gradcheck over odd_shapes, same bits for
/// any number of threads.
void check_unary(const Unary& op);

/// PyTorch's values and gradients, of the case "all".
void unary_as_pytorch(std::string_view name, const Unary& op);

/// Value and derivative at one point.
struct Point {
  Real x, y, dy_dx;
};

/// f at each x, to the last digits of Real: y and the derivative; infinities and
/// NaN are numbers like others.
void check_points(const std::function<Var(const Var&)>& f, const std::vector<Point>& points);

/// An operator of two operands that broadcast.
struct Binary {
  using Inputs = std::function<Tensor(const Shape&, std::uint64_t seed)>;

  std::function<Var(const Var&, const Var&)> f;
  double (*naive)(double, double);
  Inputs a = [](const Shape& shape, std::uint64_t seed) { return normal(shape, seed); };
  Inputs b = a;
};

/// Values against the naive formula, gradcheck and same bits for any number of
/// threads in every pattern of broadcasting; shapes that do not fit, and none, are
/// refused with errors of [name].
void check_binary(std::string_view name, const Binary& op);

/// PyTorch's values and gradients, of the cases "equal", "scalar", "row", "column"
/// and "outer".
void binary_as_pytorch(std::string_view name, const Binary& op);

/// What stands at position i of `shape` in a tensor that is stretched to it: the
/// oracle of broadcasting.
Real stretched_at(const Tensor& x, const Shape& shape, Index i);

}  // namespace fraqat::test
