#pragma once

#include <functional>
#include <string>

#include "tests/support/golden.hpp"

/// What the tests of pooling over square windows have in common.
namespace fraqat::test {

struct Pool {
  std::function<Var(const Var&, const op::Pool2dOptions&)> f;
  Real start;                                     // of a window
  Real (*join)(Real so_far, Real x, Real share);  // share: 1 / kernel^2
  std::function<Tensor(const Shape&)> inputs = [](const Shape& s) { return normal(s); };
};

/// Gradients and the naive loop over windows that touch, overlap and reach over
/// the edge; attributes; same bits for any number of threads; PyTorch's cases
/// "touching" and "overlapping"; each impossible window by the text of its error.
void check_pool(const std::string& name, const Pool& pool);

}  // namespace fraqat::test
