#include <algorithm>
#include <cmath>

#include "quant/ranges/cover.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

/// s = exp(log_scale), and affine z = share hi.  Both are relative numbers, so that
/// one rate suits all widths.
class LearnedRange final : public RangePolicy {
 public:
  explicit LearnedRange(const RangeOptions& options)
      : table_(options),
        sample_(options),
        log_scale_(zeros(), true),
        share_(zeros(), true),
        codes_(zeros()) {
    check(
        !options.affine || options.coding == Coding::natural,
        "[quant] a learned zero-point needs codes from 0 on: got another coding; expected natural");
    for (Index i = 0; i < codes_.value().size(); ++i) codes_.value()[i] = hi(i);
    if (options.elements == 0) return;
    factors_ = zeros();
    for (Index i = 0; i < factors_.size(); ++i)
      factors_[i] = 1 / std::sqrt(static_cast<Real>(options.elements) * hi(i));
  }

  std::string_view name() const override { return "learned"; }
  void observe(const Tensor& x) override { sample_.add(x); }

  void finish() override {
    sample_.fit(table_, least_squares);
    for (Index i = 0; i < codes_.value().size(); ++i) {
      log_scale_.value()[i] = std::log(table_.scale.value()[i]);
      share_.value()[i] = table_.zero.value()[i] / hi(i);
    }
  }

  Ranges ranges(const Tensor&) override {
    // Zero has to be a code.
    for (Real& share : share_.value().span()) share = std::clamp(share, Real(0), Real(1));
    if (Tape::current() && Tape::current()->records() == Tape::Records::graph) {
      Tape aside;  // how log s becomes s is no part of the model's graph
      return from(Var(log_scale_.value()), Var(share_.value()));
    }
    if (!factors_) return from(log_scale_, share_);
    return from(op::scale_gradient(log_scale_, factors_), op::scale_gradient(share_, factors_));
  }

  std::vector<Var> parameters() const override {
    return affine() ? std::vector{log_scale_, share_} : std::vector{log_scale_};
  }

  void visit(nn::Visitor& visitor) override {
    visitor.parameter("log_scale", log_scale_);
    if (affine()) visitor.parameter("zero_share", share_);
  }

 private:
  bool affine() const { return table_.options.affine; }
  Tensor zeros() const { return Tensor(table_.scale.shape(), Real(0)); }
  Real hi(Index i) const {
    return static_cast<Real>(table_.grid(static_cast<int>(i / table_.options.rows)).hi);
  }

  Ranges from(const Var& log_scale, const Var& share) const {
    return {op::exp(log_scale), affine() ? op::mul(share, codes_) : table_.zero};
  }

  RangeTable table_;
  Sample sample_;
  Var log_scale_, share_;  // [J, R]
  Var codes_;              // hi of each
  Tensor factors_;         // of the gradients, if any
};

}  // namespace

std::unique_ptr<RangePolicy> learned_range(const RangeOptions& options) {
  return std::make_unique<LearnedRange>(options);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
