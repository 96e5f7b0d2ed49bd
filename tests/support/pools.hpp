#pragma once

#include <functional>
#include <string>

#include "tests/support/golden.hpp"
#include "tests/support/oracle.hpp"

/// What the tests of pooling over square windows have in common.
namespace fraqat::test {

struct Pool {
  std::function<Var(const Var&, const op::Pool2dOptions&)> f;
  Real start;                                     // of a window
  Real (*join)(Real so_far, Real x, Real share);  // share: 1 / kernel^2
  std::function<Tensor(const Shape&)> inputs = [](const Shape& s) { return normal(s); };
  bool one_takes_all = false;  // of the gradient: the first x of a window that equals y
};

/// An image and the windows over it.
struct PoolCase {
  Shape x;
  op::Pool2dOptions options;
};

/// A small one; in half of them the windows touch and do not overlap.
PoolCase random_pool(ShapeDice& dice);

/// Gradients and the naive loop over windows that touch, overlap and reach over
/// the edge, the loop on 200 random ones, too; attributes; same bits for any number of threads;
/// PyTorch's cases "touching" and "overlapping"; each impossible window by the text of its error.
void check_pool(const std::string& name, const Pool& pool);

}  // namespace fraqat::test
