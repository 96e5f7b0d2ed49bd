#include "optim/optimizer.hpp"

/// Adam whose weight decay d does not pass through the moments:
///
///   w = (1 - r d) w - (Adam's step for dL/dw alone)
///
/// Coupled decay is divided by sqrt(v) like every gradient, so weights with
/// large gradients hardly decay; decoupled, all weights decay at one pace.
namespace fraqat::optim {

void AdamW::update(std::size_t index, Var& parameter, double rate, double decay) {
  advance(index, parameter, rate, 0, 1 - rate * decay);
}

}  // namespace fraqat::optim
