#pragma once

#include <functional>
#include <string>

#include "tests/support/golden.hpp"

/// What the tests of losses against given targets have in common.
namespace fraqat::test {

struct Loss {
  std::function<Var(const Var&, const Tensor&)> f;
  double (*naive)(double x, double t);  // of one element
  Tensor (*targets)(const Shape&);      // away from kinks for x
  Tensor (*inputs)(const Shape&) = [](const Shape& s) { return normal(s, 1); };
  std::function<double(const Shape&)> count = [](const Shape& s) { return double(s.size()); };
};

/// The naive mean, gradcheck over odd_shapes, same bits for any number of
/// threads, other shapes refused in the name of [name], and PyTorch's case "all".
void check_loss(const std::string& name, const Loss& loss);

}  // namespace fraqat::test
