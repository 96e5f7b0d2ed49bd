#include <algorithm>

#include "quant/ranges/cover.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

class MinMaxRange final : public RangePolicy {
 public:
  explicit MinMaxRange(const RangeOptions& options)
      : options_(options),
        table_(options),
        low_({options.rows}, Real(0)),
        high_({options.rows}, Real(0)) {
    options_.running &= options.momentum > 0;
  }

  std::string_view name() const override { return "minmax"; }

  void observe(const Tensor& x) override {
    const Index length = x.size() / options_.rows;
    for (Index row = 0; row < options_.rows; ++row) {
      const Span seen = span_of(x.span().subspan(static_cast<std::size_t>(row * length),
                                                 static_cast<std::size_t>(length)));
      if (options_.running && (low_[row] != 0 || high_[row] != 0)) {
        const Real momentum = static_cast<Real>(options_.momentum);
        low_[row] += momentum * (seen.low - low_[row]);
        high_[row] += momentum * (seen.high - high_[row]);
      } else {
        low_[row] = options_.fresh ? seen.low : std::min(low_[row], seen.low);
        high_[row] = options_.fresh ? seen.high : std::max(high_[row], seen.high);
      }
    }
  }

  void finish() override {}

  Ranges ranges(const Tensor& x) override {
    const TrainingStep* step = TrainingStep::current();
    if (options_.fresh || (options_.running && step && step->noise())) observe(x);
    for (int j = 0; j < options_.widths.count(); ++j)
      for (Index row = 0; row < options_.rows; ++row)
        table_.set(j, row, cover({low_[row], high_[row]}, table_.grid(j), options_.affine));
    return {table_.scale, table_.zero};
  }

  void visit(nn::Visitor& visitor) override {
    visitor.buffer("low", low_);
    visitor.buffer("high", high_);
  }

 private:
  RangeOptions options_;
  RangeTable table_;
  Tensor low_, high_;
};

}  // namespace

std::unique_ptr<RangePolicy> minmax_range(const RangeOptions& options) {
  return std::make_unique<MinMaxRange>(options);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
