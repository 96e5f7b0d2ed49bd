#include "core/kernels/kernels.hpp"
#include "core/parallel.hpp"
#include "optim/optimizer.hpp"

/// Lion at rate r, weight decay d, with g = dL/dw:
///
///   c = beta1 m + (1 - beta1) g             (m starts at 0)
///   w = (1 - r d) w - r sign(c)             sign(0) = 0
///   m = beta2 m + (1 - beta2) g
///
/// Every weight moves by r, whatever the size of its gradient: the rate is a
/// third to a tenth of Adam's, and the decay as much larger.  beta1 < beta2: the
/// step looks at the newest gradient more than the memory does.
namespace fraqat::optim {
namespace {

constexpr Index lion_grain = 1 << 15;

}  // namespace

Lion::Lion(std::vector<ParameterGroup> groups, const LionOptions& options)
    : Optimizer(std::move(groups)), options_(options) {
  for (const double beta : {options.beta1, options.beta2})
    check(beta >= 0 && beta < 1, "[lion] bad beta: got ", beta, "; expected a number in [0, 1)");
  for (const Var& parameter : parameters()) momentum_.emplace_back(parameter.shape(), 0.0f);
}

void Lion::visit_state(const StateVisitor& visit) {
  for (std::size_t i = 0; i < momentum_.size(); ++i) visit(state_name("momentum", i), momentum_[i]);
}

void Lion::update(std::size_t index, Var& parameter, double rate, double decay) {
  const auto real = [](double value) { return static_cast<float>(value); };
  const auto& [beta1, beta2] = options_;
  const kernels::LionStep step{real(rate),  real(1 - rate * decay), real(beta1), real(1 - beta1),
                               real(beta2), real(1 - beta2)};
  float* w = parameter.value().data();
  float* m = momentum_[index].data();
  const float* g = parameter.grad().data();
  parallel_chunks(parameter.value().size(), lion_grain, [=](Index begin, Index end) {
    kernels::active().steps.lion(step, w + begin, m + begin, g + begin, end - begin);
  });
}

}  // namespace fraqat::optim
