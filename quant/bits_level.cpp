#include "quant/bits_level.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "quant/bits_shared.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

class ScheduledBits final : public BitPolicy {
 public:
  ScheduledBits(const Widths& widths, double initial)
      : widths_(widths), one_hot_(one_hot_weights(widths)), bits_(Tensor({1})) {
    check_start(widths, initial);
    bits_.value()[0] = static_cast<Real>(initial);
  }

  std::string_view name() const override { return "schedule"; }

  Choice choose() override {
    const bool whole = bits() == widths_[hard()];
    if (may_sample() && !whole) return {.p = {}, .level = bits_};
    return hard_choice(*this, one_hot_);
  }

  double bits(Index = 0) const override { return static_cast<double>(bits_.value()[0]); }
  int hard(Index = 0) const override { return nearest_width(widths_, bits()); }

  void limit(double widest) override {
    const double lowest = widths_.lowest();
    bits_.value()[0] = static_cast<Real>(std::max(std::min(bits(), widest), lowest));
  }

  void visit(nn::Visitor& visitor) override { visitor.buffer("bits", bits_.value()); }

 private:
  Widths widths_;
  std::vector<Var> one_hot_;
  Var bits_;  // [1]
};

/// What the two halves of step and range share.
struct Step {
  Coding coding;
  Widths widths;
  double initial;
  Var log_step{Tensor({1}, Real(0)), true}, log_range{Tensor({1}, Real(0)), true};

  /// b where the range has `steps` steps.
  double width(double steps) const {
    return std::log2(steps + 1) + (coding == Coding::natural ? 0 : 1);
  }

  /// d for b bits, xmax staying.
  void set_bits(double bits) {
    log_step.value()[0] =
        log_range.value()[0] - static_cast<Real>(std::log(level_steps(coding, bits)));
  }
};

class StepBits final : public BitPolicy {
 public:
  explicit StepBits(std::shared_ptr<Step> step)
      : step_(std::move(step)), one_hot_(one_hot_weights(step_->widths)) {
    check_start(step_->widths, step_->initial);
    step_->set_bits(step_->initial);
  }

  std::string_view name() const override { return "level-step"; }

  Choice choose() override {
    if (may_sample()) return {.p = {}, .level = bits_on_tape()};
    return hard_choice(*this, one_hot_);
  }

  double bits(Index = 0) const override {
    const auto now = static_cast<double>(step_->log_step.value()[0]);
    return bits_of({&now, 1});
  }

  Var bits_on_tape() override {
    const auto number = [](double x) { return Var(Tensor({1}, static_cast<Real>(x))); };
    const Var nats = op::softplus(op::sub(step_->log_range, step_->log_step));
    Var b = op::mul(nats, number(1 / std::numbers::ln2));
    if (step_->coding != Coding::natural) b = op::add(b, number(1));
    const auto low = static_cast<Real>(step_->widths.lowest()), high = static_cast<Real>(widest());
    // project() puts b on an end, but for rounding; clip would take its gradient beyond.
    constexpr Real rounding = Real(1e-5);
    const Real off = std::clamp(b.value()[0], low, high) - b.value()[0];
    return std::abs(off) < rounding ? op::add(b, number(off)) : op::clip(b, low, high);
  }

  int hard(Index = 0) const override { return nearest_width(step_->widths, bits()); }
  Var parameter() const override { return step_->log_step; }

  double bits_of(std::span<const double> values) const override {
    return std::clamp<double>(raw_bits(values[0]), step_->widths.lowest(), widest());
  }

  /// db / dlog d = -n / ((n + 1) ln 2), n = xmax / d.
  double slope(std::span<const double> values, std::size_t) const override {
    const double n = steps(values[0]);
    return -n / (n + 1) / std::numbers::ln2;
  }

  void project() override {
    const double raw = raw_bits(static_cast<double>(step_->log_step.value()[0]));
    if (raw < step_->widths.lowest() || raw > widest()) step_->set_bits(bits());
  }

  void limit(double widest) override {
    widest_ = widest;
    project();
  }

  void visit(nn::Visitor& visitor) override { visitor.parameter("log_step", step_->log_step); }

 private:
  double widest() const {
    return std::max<double>(std::min<double>(widest_, step_->widths.highest()),
                            step_->widths.lowest());
  }
  double steps(double log_step) const {
    return std::exp(static_cast<double>(step_->log_range.value()[0]) - log_step);
  }
  double raw_bits(double log_step) const { return step_->width(steps(log_step)); }

  std::shared_ptr<Step> step_;
  std::vector<Var> one_hot_;
  double widest_ = max_bits;
};

/// One end for all widths: s_j = xmax share_r / n_j, z_j = rne(middle_r n_j).
class StepRange final : public RangePolicy {
 public:
  StepRange(std::shared_ptr<Step> step, Index rows, std::unique_ptr<RangePolicy> calibrated)
      : step_(std::move(step)),
        calibrated_(std::move(calibrated)),
        share_({rows}, Real(1)),
        middle_({rows}, Real(0)) {}

  std::string_view name() const override { return "step"; }

  void observe(const Tensor& x) override {
    calibrated_->observe(x);
    seen_ = x;
  }

  void finish() override {
    calibrated_->finish();
    const Ranges ranges = calibrated_->ranges(seen_);
    seen_ = {};
    const int at = nearest_width(step_->widths, step_->initial);
    const double n = level_steps(step_->coding, step_->initial);
    const Tensor scale = op::level_scale(Var(Tensor({1}, static_cast<Real>(step_->initial))),
                                         Var(ranges.scale.value()), step_->coding, step_->widths)
                             .value();
    const Real largest = *std::max_element(scale.span().begin(), scale.span().end());
    for (Index r = 0; r < share_.size(); ++r) {
      share_[r] = scale[r] / largest;
      middle_[r] = ranges.zero.value()[at * share_.size() + r] /
                   static_cast<Real>(level_steps(step_->coding, step_->widths[at]));
    }
    step_->log_range.value()[0] = static_cast<Real>(std::log(static_cast<double>(largest) * n));
    step_->set_bits(step_->initial);
  }

  Ranges ranges(const Tensor&) override {
    const Index rows = share_.size();
    Tensor part({step_->widths.count(), rows}), zero(part.shape());
    for (int j = 0; j < step_->widths.count(); ++j)
      for (Index r = 0; r < rows; ++r) {
        const auto n = static_cast<Real>(level_steps(step_->coding, step_->widths[j]));
        part[j * rows + r] = share_[r] / n;
        zero[j * rows + r] = round_even(middle_[r] * n);
      }
    if (Tape::current() && Tape::current()->records() == Tape::Records::graph) {
      Tape aside;  // how log xmax becomes s is no part of the model's graph
      return {op::mul(op::exp(Var(step_->log_range.value())), Var(part)), Var(zero)};
    }
    return {op::mul(op::exp(step_->log_range), Var(part)), Var(zero)};
  }

  std::vector<Var> parameters() const override { return {step_->log_range}; }

  void visit(nn::Visitor& visitor) override {
    visitor.parameter("log_range", step_->log_range);
    visitor.buffer("share", share_);
    visitor.buffer("middle", middle_);
  }

 private:
  std::shared_ptr<Step> step_;
  std::unique_ptr<RangePolicy> calibrated_;
  Tensor share_, middle_;  // of each row
  Tensor seen_;
};

}  // namespace

std::unique_ptr<BitPolicy> scheduled_bits(const Widths& widths, double initial) {
  return std::make_unique<ScheduledBits>(widths, initial);
}

Policies step_and_range(const RangeOptions& options, double initial,
                        std::unique_ptr<RangePolicy> calibrated) {
  const auto step = std::make_shared<Step>(Step{options.coding, options.widths, initial});
  return {std::make_unique<StepBits>(step),
          std::make_unique<StepRange>(step, options.rows, std::move(calibrated))};
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
