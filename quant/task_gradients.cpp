#include "quant/task_gradients.hpp"

#include <algorithm>

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

/// Nearer to a bound, a softmax has settled there and may pass no gradient any more.
constexpr double at_bound = 0.01;

/// A width of the tensor that is strictly between its bounds, or 0.
double width_inside(const Quantizer& q) {
  const Widths& widths = q.info().widths;
  for (Index row = 0; row < q.width_count(); ++row) {
    const double b = q.bits().bits(row);
    if (b > widths.lowest() + at_bound && b < widths.highest() - at_bound) return b;
  }
  return 0;
}

}  // namespace

TaskGradients::TaskGradients(const std::vector<Quantizer*>& all) {
  for (Quantizer* q : all)
    if (q->bits().parameter()) learned_.push_back(q);
  touched_.assign(learned_.size(), false);
}

void TaskGradients::note() {
  for (std::size_t k = 0; k < learned_.size(); ++k) {
    const Tensor& grad = learned_[k]->bits().parameter().grad();
    if (touched_[k] || !grad) continue;
    touched_[k] =
        std::any_of(grad.span().begin(), grad.span().end(), [](Real g) { return g != 0; });
  }
}

void TaskGradients::check_alive() {
  for (std::size_t k = 0; k < learned_.size(); ++k) {
    const double b = width_inside(*learned_[k]);
    check(touched_[k] || b == 0, "[search] the bit-width of ", learned_[k]->info().name,
          " is not being learned: got a task gradient of exactly 0 through an epoch at b = ", b,
          "; expected another number in at least one step; try another start or policy, a higher "
          "search.temperature_end, a smaller search.lambda or search.entropy, and see that the "
          "tensor is used");
    touched_[k] = false;
  }
}

void TaskGradients::set_state(std::vector<char> touched) {
  check(touched.size() == touched_.size(), "[search] the state is that of another network: got ",
        touched.size(), " learned widths; expected ", touched_.size());
  touched_ = std::move(touched);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
