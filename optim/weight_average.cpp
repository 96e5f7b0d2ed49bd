#include "optim/weight_average.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "core/parallel.hpp"

/// The average a of a weight w with decay beta, at the t-th update:
///
///   a = a + k (w - a)
///   k = 1 - beta                          initial: a starts at the first w
///   k = (1 - beta) / (1 - beta^t)         corrected
///   k = 1 - min(beta, (1 + t) / (10 + t)) warm-up
///
/// The corrected k keeps a at what the sum s = beta s + (1 - beta) w, begun at 0,
/// gives divided by 1 - beta^t, as in Adam: its first a is w.  Moving a by the
/// difference, instead of adding beta a and k w, leaves an average of equal
/// weights where it is; beta and 1 - beta are rounded, and do not sum to 1.
namespace fraqat::optim {
namespace {

constexpr Index average_grain = 1 << 15;

void run(float k, float* __restrict a, const float* __restrict w, Index begin, Index end) {
  for (Index i = begin; i < end; ++i) a[i] += k * (w[i] - a[i]);
}

void check_in_place(bool in_place, std::string_view to_do) {
  check(in_place, "[weight_average] cannot ", to_do,
        ": got the average in the place of the weights; expected the weights; try swap_out()");
}

}  // namespace

WeightAverage::WeightAverage(std::vector<Var> parameters, const WeightAverageOptions& options)
    : parameters_(std::move(parameters)), options_(options), updates_(Shape{}, 0.0f) {
  check(options.decay >= 0 && options.decay < 1, "[weight_average] bad decay: got ", options.decay,
        "; expected a number in [0, 1)");
  std::set<const void*> seen;
  for (const Var& parameter : parameters_) {
    check(bool(parameter), "[weight_average] bad parameter: got none; expected a tensor");
    check(seen.insert(parameter.id()).second, "[weight_average] parameter given twice: got \"",
          parameter.name(), "\" again; expected every parameter once");
    const bool from_zero = options.start == WeightAverageOptions::Start::corrected;
    averages_.push_back(from_zero ? Tensor(parameter.shape(), 0.0f) : parameter.value().clone());
  }
}

double WeightAverage::weight_of_newest() const {
  const double t = updates_.item();
  switch (options_.start) {
    case WeightAverageOptions::Start::initial:
      return 1 - options_.decay;
    case WeightAverageOptions::Start::corrected:
      return (1 - options_.decay) / (1 - std::pow(options_.decay, t));
    case WeightAverageOptions::Start::warm_up:
      return 1 - std::min(options_.decay, (1 + t) / (10 + t));
  }
  fail(Error::Kind::failed, "[weight_average] no such start: got ",
       static_cast<int>(options_.start));
}

void WeightAverage::update() {
  check_in_place(!swapped_, "update");
  updates_[0] += 1;
  const float k = static_cast<float>(weight_of_newest());
  for (std::size_t i = 0; i < averages_.size(); ++i) {
    const Tensor& weights = std::as_const(parameters_[i]).value();
    check(weights.shape() == averages_[i].shape(), "[weight_average] \"", parameters_[i].name(),
          "\" has changed its shape: got ", weights.shape(), "; expected ", averages_[i].shape());
    float* a = averages_[i].data();
    const float* w = weights.data();
    parallel_chunks(weights.size(), average_grain,
                    [=](Index begin, Index end) { run(k, a, w, begin, end); });
  }
}

void WeightAverage::swap_in() {
  check_in_place(!swapped_, "swap in");
  check(updates_.item() > 0,
        "[weight_average] cannot swap in: got 0 updates; expected 1 or more; try update()");
  swap();
}

void WeightAverage::swap_out() {
  check(
      swapped_,
      "[weight_average] cannot swap out: got the weights in their place; expected the average; try "
      "swap_in()");
  swap();
}

void WeightAverage::swap() {
  for (std::size_t i = 0; i < averages_.size(); ++i)
    std::swap(parameters_[i].value(), averages_[i]);
  swapped_ = !swapped_;
}

void WeightAverage::visit_state(const StateVisitor& visit) {
  check_in_place(!swapped_, "show the state");
  for (std::size_t i = 0; i < averages_.size(); ++i) {
    const std::string& name = parameters_[i].name();
    visit("average." + (name.empty() ? std::to_string(i) : name), averages_[i]);
  }
  visit("average_updates", updates_);
}

}  // namespace fraqat::optim
