#include <cmath>

#include "core/kernels/kernels.hpp"
#include "core/parallel.hpp"
#include "optim/optimizer.hpp"

/// Adam at rate r, weight decay d, in the t-th step that has a gradient:
///
///   g = dL/dw + d w
///   m = beta1 m + (1 - beta1) g          mean of the gradients, starts at 0
///   v = beta2 v + (1 - beta2) g^2        mean of their squares, starts at 0
///   w = w - r (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)
///
/// The two divisors undo the pull of the zeros that m and v start from.  They
/// depend on t, so t is counted for each parameter: one that gets its first
/// gradient late would otherwise take a first step 1 / sqrt(1 - beta2) times
/// (1 - beta1) too long.
namespace fraqat::optim {
namespace {

constexpr Index adam_grain = 1 << 14;

}  // namespace

Adam::Adam(std::vector<ParameterGroup> groups, const AdamOptions& options)
    : Optimizer(std::move(groups)), options_(options) {
  for (const double beta : {options.beta1, options.beta2})
    check(beta >= 0 && beta < 1, "[adam] bad beta: got ", beta, "; expected a number in [0, 1)");
  check_epsilon("adam", options.epsilon);
  for (const Var& parameter : parameters())
    states_.push_back(
        {Tensor(parameter.shape(), 0.0f), Tensor(parameter.shape(), 0.0f), Tensor(Shape{}, 0.0f)});
}

void Adam::visit_state(const StateVisitor& visit) {
  for (std::size_t i = 0; i < states_.size(); ++i) {
    visit(state_name("first_moment", i), states_[i].first);
    visit(state_name("second_moment", i), states_[i].second);
    visit(state_name("updates", i), states_[i].updates);
  }
}

void Adam::update(std::size_t index, Var& parameter, double rate, double decay) {
  advance(index, parameter, rate, decay, 1);
}

void Adam::advance(std::size_t index, Var& parameter, double rate, double coupled, double shrink) {
  State& state = states_[index];
  const double t = double{state.updates[0] += 1};
  const auto real = [](double value) { return static_cast<float>(value); };
  const auto& [beta1, beta2, epsilon] = options_;
  const kernels::AdamStep step{real(rate / (1 - std::pow(beta1, t))),
                               real(1 / std::sqrt(1 - std::pow(beta2, t))),
                               real(epsilon),
                               real(beta1),
                               real(1 - beta1),
                               real(beta2),
                               real(1 - beta2),
                               real(coupled),
                               real(shrink)};
  float* w = parameter.value().data();
  float* m = state.first.data();
  float* v = state.second.data();
  const float* g = parameter.grad().data();
  parallel_chunks(parameter.value().size(), adam_grain, [=](Index begin, Index end) {
    kernels::active().steps.adam(step, w + begin, m + begin, v + begin, g + begin, end - begin);
  });
}

}  // namespace fraqat::optim
