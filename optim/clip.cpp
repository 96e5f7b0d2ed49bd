#include <algorithm>
#include <cmath>

#include "core/parallel.hpp"
#include "optim/optimizer.hpp"

/// Clipping by norm, over the gradients g_k of all parameters together:
///
///   n = sqrt(sum_k sum_i g_k[i]^2),    g_k = g_k * max_norm / n   where n > max_norm
///
/// keeps the direction of the step; clipping by value, element by element, does not.
namespace fraqat::optim {
namespace {

constexpr Index clip_grain = 1 << 15;

double sum_of_squares(const Var& parameter) {
  const float* g = parameter.grad().data();
  const double sum =
      parallel_sum<double>(parameter.grad().size(), clip_grain, [g](Index begin, Index end) {
        double partial = 0;
        for (Index i = begin; i < end; ++i) partial += double{g[i]} * double{g[i]};
        return partial;
      });
  // The squares of floats cannot overflow a double: only a gradient that is
  // itself infinite or not a number gives such a sum.
  check(std::isfinite(sum), "[clip_gradients] the gradient of \"", parameter.name(),
        "\" is not finite: got a sum of squares of ", sum,
        "; expected finite numbers; try a lower learning rate");
  return sum;
}

/// g = f(g) for the parameter's own gradient: `add` gives both its inputs one
/// tensor, which must not be changed twice.
template <class F>
void change_gradient(const Var& parameter, F f) {
  Tensor& gradient = Var(parameter).grad();
  if (!gradient.unique()) gradient = gradient.clone();
  float* g = gradient.data();
  parallel_chunks(gradient.size(), clip_grain, [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) g[i] = f(g[i]);
  });
}

void check_limit(const char* what, double limit) {
  check(std::isfinite(limit) && limit > 0, "[clip_gradients] bad ", what, ": got ", limit,
        "; expected a finite number > 0");
}

/// Walks over the parameters that have a gradient, in order.
template <class F>
void each_gradient(std::span<const Var> parameters, F&& f) {
  for (const Var& parameter : parameters)
    if (parameter.grad()) f(parameter);
}

template <class F>
void each_gradient(std::span<const ParameterGroup> groups, F&& f) {
  for (const ParameterGroup& group : groups) each_gradient(std::span(group.parameters), f);
}

template <class T>
double by_norm(std::span<const T> parameters, double max_norm) {
  check_limit("norm", max_norm);
  double sum = 0;
  each_gradient(parameters, [&](const Var& p) { sum += sum_of_squares(p); });
  const double norm = std::sqrt(sum);
  if (norm > max_norm) {
    const float factor = static_cast<float>(max_norm / norm);
    each_gradient(parameters, [=](const Var& p) {
      change_gradient(p, [factor](float g) { return g * factor; });
    });
  }
  return norm;
}

template <class T>
void by_value(std::span<const T> parameters, double max_value) {
  check_limit("value", max_value);
  const float limit = static_cast<float>(max_value);
  each_gradient(parameters, [=](const Var& p) {
    sum_of_squares(p);  // names the parameter of a gradient that is not finite
    change_gradient(p, [limit](float g) { return std::clamp(g, -limit, limit); });
  });
}

}  // namespace

double clip_gradients_by_norm(std::span<const Var> parameters, double max_norm) {
  return by_norm(parameters, max_norm);
}

double clip_gradients_by_norm(std::span<const ParameterGroup> groups, double max_norm) {
  return by_norm(groups, max_norm);
}

void clip_gradients_by_value(std::span<const Var> parameters, double limit) {
  by_value(parameters, limit);
}

void clip_gradients_by_value(std::span<const ParameterGroup> groups, double limit) {
  by_value(groups, limit);
}

}  // namespace fraqat::optim
