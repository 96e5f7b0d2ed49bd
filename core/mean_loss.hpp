#pragma once

#include "core/elementwise.hpp"
#include "core/ops.hpp"

namespace fraqat::inline FRAQAT_PRECISION {

/// L = (1 / n) sum over i of rule.value(x[i], t[i]), for a struct with
///
///   static Index count(const Shape& x)    n
///   Real value(Real x, Real t) const
///   Real slope(Real x, Real t) const      the derivative of value by x
///
///   dL/dx[i] = rule.slope(x[i], t[i]) / n;   targets are data
template <class Rule>
struct MeanLoss : Rule {
  Tensor targets, x = {};

  Tensor forward(const Tensor& input) {
    x = input;
    const Real sum = sum_of([this](Real v, Real t) { return this->value(v, t); }, x, targets);
    return Tensor::scalar(sum / Real(Rule::count(x.shape())));
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    const Real factor = dy.item() / Real(Rule::count(x.shape()));
    return {map([=, this](Real v, Real t) { return factor * this->slope(v, t); }, x, targets)};
  }
};

/// The checked application of a rule with a name.
template <class Rule>
Var mean_loss(const Rule& rule, const Var& x, const Tensor& targets) {
  check(x.shape() == targets.shape(), "[", Rule::name, "] shapes differ: got ", x.shape(),
        " and targets ", targets.shape(), "; expected equal shapes");
  check(static_cast<bool>(targets), "[", Rule::name,  // which has the shape of a scalar
        "] no targets: got an empty tensor; expected ", x.shape());
  return apply(MeanLoss<Rule>{rule, targets}, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION
