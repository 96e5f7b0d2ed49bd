#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "tests/support/golden.hpp"

namespace fraqat::test {

/// An operator that joins some dimensions of its operand.
struct Reducing {
  std::function<Var(const Var&, const Axes&, bool keepdim)> f;
  double (*naive)(const std::vector<double>&);  // of what becomes one element
  std::function<Tensor(const Shape&)> inputs = [](const Shape& shape) { return normal(shape); };
  double float_error = 1e-6;  // of values near 0, with float
};

/// Values against the naive loop, gradcheck and same bits for any number of
/// threads, over many sets of axes; axes that are not there are refused with
/// errors of [name].
void check_reduction(std::string_view name, const Reducing& op);

/// PyTorch's values and gradients, of the cases "all", "last", "first", "outer"
/// ({0, 2} of three) and "kept" ({1, -1} of four, keepdim).
void reduction_as_pytorch(std::string_view name, const Reducing& op);

}  // namespace fraqat::test
