#include <cmath>

#include "core/kernels/kernels.hpp"
#include "core/parallel.hpp"
#include "optim/optimizer.hpp"

/// Adagrad at rate r, weight decay d, in the t-th step that has a gradient:
///
///   g = dL/dw + d w
///   v = v + g^2                             sum of the squares
///   w = w - r / (1 + (t - 1) rate_decay) g / (sqrt(v) + epsilon)
///
/// The sum only grows, so every weight has a rate of its own that falls with
/// what it has already moved: rare features keep a high one.
namespace fraqat::optim {
namespace {

constexpr Index adagrad_grain = 1 << 14;

}  // namespace

Adagrad::Adagrad(std::vector<ParameterGroup> groups, const AdagradOptions& options)
    : Optimizer(std::move(groups)), options_(options) {
  check(std::isfinite(options.rate_decay) && options.rate_decay >= 0,
        "[adagrad] bad rate decay: got ", options.rate_decay, "; expected a finite number >= 0");
  check_epsilon("adagrad", options.epsilon);
  check(std::isfinite(static_cast<float>(options.initial_sum)) && options.initial_sum >= 0,
        "[adagrad] bad initial sum: got ", options.initial_sum,
        "; expected a number >= 0 that is finite as a float");
  for (const Var& parameter : parameters())
    states_.push_back({Tensor(parameter.shape(), static_cast<float>(options.initial_sum)),
                       Tensor(Shape{}, 0.0f)});
}

void Adagrad::visit_state(const StateVisitor& visit) {
  for (std::size_t i = 0; i < states_.size(); ++i) {
    visit(state_name("sum_of_squares", i), states_[i].sum);
    visit(state_name("updates", i), states_[i].updates);
  }
}

void Adagrad::update(std::size_t index, Var& parameter, double rate, double decay) {
  State& state = states_[index];
  const double t = double{state.updates[0] += 1};
  const kernels::AdagradStep step{static_cast<float>(rate / (1 + (t - 1) * options_.rate_decay)),
                                  static_cast<float>(decay), static_cast<float>(options_.epsilon)};
  float* w = parameter.value().data();
  float* v = state.sum.data();
  const float* g = parameter.grad().data();
  parallel_chunks(parameter.value().size(), adagrad_grain, [=](Index begin, Index end) {
    kernels::active().steps.adagrad(step, w + begin, v + begin, g + begin, end - begin);
  });
}

}  // namespace fraqat::optim
