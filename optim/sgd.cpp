#include "core/kernels/kernels.hpp"
#include "core/parallel.hpp"
#include "optim/optimizer.hpp"

/// Stochastic gradient descent at rate r, momentum mu, weight decay d:
///
///   g  = dL/dw + d w                    coupled decay: d pulls through the momentum
///   m  = mu m + g                       (m starts at 0)
///   g  = g + mu m   if Nesterov,  else  m
///   w  = w - r g
///
/// Decoupled decay leaves d out of g and shrinks the weights by themselves,
/// w = (1 - r d) w - r g.  Without momentum g is all there is.
namespace fraqat::optim {
namespace {

constexpr Index sgd_grain = 1 << 15;

}  // namespace

Sgd::Sgd(std::vector<ParameterGroup> groups, const SgdOptions& options)
    : Optimizer(std::move(groups)), options_(options) {
  check(options.momentum >= 0 && options.momentum < 1, "[sgd] bad momentum: got ", options.momentum,
        "; expected a number in [0, 1)");
  check(!options.nesterov || options.momentum > 0,
        "[sgd] Nesterov's method needs momentum: got 0; expected a number in (0, 1)");
  if (options.momentum > 0)
    for (const Var& parameter : parameters()) momentum_.emplace_back(parameter.shape(), 0.0f);
}

void Sgd::visit_state(const StateVisitor& visit) {
  for (std::size_t i = 0; i < momentum_.size(); ++i) visit(state_name("momentum", i), momentum_[i]);
}

void Sgd::update(std::size_t index, Var& parameter, double rate, double decay) {
  const bool decoupled = options_.decoupled_decay;
  const kernels::SgdStep step{static_cast<float>(rate), static_cast<float>(decoupled ? 0 : decay),
                              static_cast<float>(decoupled ? 1 - rate * decay : 1),
                              static_cast<float>(options_.momentum), options_.nesterov};
  float* w = parameter.value().data();
  const float* g = parameter.grad().data();
  float* m = momentum_.empty() ? nullptr : momentum_[index].data();
  parallel_chunks(parameter.value().size(), sgd_grain, [=](Index begin, Index end) {
    kernels::active().steps.sgd(step, w + begin, m ? m + begin : nullptr, g + begin, end - begin);
  });
}

}  // namespace fraqat::optim
