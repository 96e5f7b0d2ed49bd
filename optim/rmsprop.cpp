#include <cmath>

#include "core/kernels/kernels.hpp"
#include "core/parallel.hpp"
#include "optim/optimizer.hpp"

/// RMSprop at rate r, weight decay d:
///
///   g = dL/dw + d w
///   v = alpha v + (1 - alpha) g^2               mean of the squares, starts at 0
///   a = alpha a + (1 - alpha) g                 mean of the gradients   (centered)
///   s = g / (sqrt(v) + epsilon)                 or, centered, sqrt(v - a^2)
///   m = mu m + s                                (momentum; without, m is s)
///   w = w - r m
///
/// v - a^2 is the variance of the gradients and never negative; its rounded
/// value may be, where all gradients are alike, and then counts as 0.
namespace fraqat::optim {
namespace {

constexpr Index rmsprop_grain = 1 << 14;

}  // namespace

RmsProp::RmsProp(std::vector<ParameterGroup> groups, const RmsPropOptions& options)
    : Optimizer(std::move(groups)), options_(options) {
  check(options.alpha >= 0 && options.alpha < 1, "[rmsprop] bad alpha: got ", options.alpha,
        "; expected a number in [0, 1)");
  check_epsilon("rmsprop", options.epsilon);
  check(options.momentum >= 0 && options.momentum < 1, "[rmsprop] bad momentum: got ",
        options.momentum, "; expected a number in [0, 1)");
  for (const Var& parameter : parameters()) {
    const auto zeros = [&](bool wanted) {
      return wanted ? Tensor(parameter.shape(), 0.0f) : Tensor();
    };
    states_.push_back({zeros(true), zeros(options.centered), zeros(options.momentum > 0)});
  }
}

void RmsProp::visit_state(const StateVisitor& visit) {
  for (std::size_t i = 0; i < states_.size(); ++i) {
    visit(state_name("mean_square", i), states_[i].square);
    if (options_.centered) visit(state_name("mean_gradient", i), states_[i].mean);
    if (options_.momentum > 0) visit(state_name("momentum", i), states_[i].momentum);
  }
}

void RmsProp::update(std::size_t index, Var& parameter, double rate, double decay) {
  const auto real = [](double value) { return static_cast<float>(value); };
  const kernels::RmsPropStep step{real(rate),
                                  real(decay),
                                  real(options_.alpha),
                                  real(1 - options_.alpha),
                                  real(options_.epsilon),
                                  real(options_.momentum)};
  State& state = states_[index];
  float* w = parameter.value().data();
  float* v = state.square.data();
  float* a = state.mean.data();
  float* m = state.momentum.data();
  const float* g = parameter.grad().data();
  const auto from = [](float* numbers, Index begin) { return numbers ? numbers + begin : nullptr; };
  parallel_chunks(parameter.value().size(), rmsprop_grain, [=](Index begin, Index end) {
    kernels::active().steps.rmsprop(step, w + begin, v + begin, from(a, begin), from(m, begin),
                                    g + begin, end - begin);
  });
}

}  // namespace fraqat::optim
