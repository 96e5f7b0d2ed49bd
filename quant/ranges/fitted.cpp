#include "quant/ranges/cover.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

/// A range that calibration finds, and that stays.
class FittedRange final : public RangePolicy {
 public:
  FittedRange(std::string_view name, Fit fit, const RangeOptions& options)
      : name_(name), fit_(fit), table_(options), sample_(options) {}

  std::string_view name() const override { return name_; }
  void observe(const Tensor& x) override { sample_.add(x); }
  void finish() override { sample_.fit(table_, fit_); }
  Ranges ranges(const Tensor&) override { return {table_.scale, table_.zero}; }

  void visit(nn::Visitor& visitor) override {
    visitor.buffer("scale", table_.scale.value());
    visitor.buffer("zero", table_.zero.value());
  }

 private:
  std::string_view name_;
  Fit fit_;
  RangeTable table_;
  Sample sample_;
};

}  // namespace

std::unique_ptr<RangePolicy> mse_range(const RangeOptions& options) {
  return std::make_unique<FittedRange>("mse", least_squares, options);
}

std::unique_ptr<RangePolicy> percentile_range(const RangeOptions& options) {
  return std::make_unique<FittedRange>("percentile", inner_percentile, options);
}

std::unique_ptr<RangePolicy> kl_range(const RangeOptions& options) {
  return std::make_unique<FittedRange>("kl", least_divergence, options);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
