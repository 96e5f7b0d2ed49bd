#include "quant/range.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

/// A width of all zeros gets this range: any will do, but it must be positive.
constexpr Real smallest_scale = Real(1e-8);

struct Span {
  Real low = 0, high = 0;
};

Span span_of(const Real* x, Index n) {
  Span s;  // 0 is always inside: padding and ReLU need it exactly
  for (Index i = 0; i < n; ++i) {
    s.low = std::min(s.low, x[i]);
    s.high = std::max(s.high, x[i]);
  }
  return s;
}

struct Affine {
  Real scale, zero;
};

/// Scale and zero-point that make `grid` cover `span`; without `affine` the
/// zero-point is 0 and the larger side decides.
Affine cover(Span span, Grid grid, bool affine) {
  if (!affine) {
    const Real up = grid.hi > 0 ? span.high / static_cast<Real>(grid.hi) : Real(0);
    const Real down = grid.lo < 0 ? span.low / static_cast<Real>(grid.lo) : Real(0);
    return {std::max({up, down, smallest_scale}), 0};
  }
  const Real scale =
      std::max((span.high - span.low) / static_cast<Real>(grid.hi - grid.lo), smallest_scale);
  const Real zero = round_even(static_cast<Real>(grid.lo) - span.low / scale);
  return {scale, std::clamp(zero, static_cast<Real>(grid.lo), static_cast<Real>(grid.hi))};
}

double squared_error(const Real* x, Index n, Affine range, Grid grid) {
  const Real lo = static_cast<Real>(grid.lo) - range.zero;
  const Real hi = static_cast<Real>(grid.hi) - range.zero;
  double sum = 0;
  for (Index i = 0; i < n; ++i) {
    const Real e = range.scale * centred_code(x[i], range.scale, lo, hi) - x[i];
    sum += static_cast<double>(e) * static_cast<double>(e);
  }
  return sum;
}

/// The span, shrunk to the fraction of its size that quantizes x best.  The
/// error is not always unimodal, hence the plain grid.
Affine best_cover(const Real* x, Index n, Grid grid, bool affine) {
  const Span whole = span_of(x, n);
  Affine best = cover(whole, grid, affine);
  double least = squared_error(x, n, best, grid);
  for (int step = 1; step < 40; ++step) {
    const Real f = 1 - static_cast<Real>(step) / 41;
    const Affine range = cover({whole.low * f, whole.high * f}, grid, affine);
    const double error = squared_error(x, n, range, grid);
    if (error < least) {
      least = error;
      best = range;
    }
  }
  return best;
}

/// Scales and zero-points for every candidate width and row.
struct Table {
  explicit Table(const RangeOptions& options)
      : options(options),
        scale(Tensor({options.widths.count(), options.rows}, Real(1))),
        zero({options.widths.count(), options.rows}, Real(0)) {}

  void set(int j, Index row, Affine range) {
    scale.value()[j * options.rows + row] = range.scale;
    zero[j * options.rows + row] = range.zero;
  }

  Grid grid(int j) const { return grid_of(options.coding, options.widths[j]); }

  RangeOptions options;
  Var scale;
  Tensor zero;
};

class MinMaxRange final : public RangePolicy {
 public:
  explicit MinMaxRange(const RangeOptions& options)
      : options_(options),
        table_(options),
        low_({options.rows}, Real(0)),
        high_({options.rows}, Real(0)) {}

  std::string_view name() const override { return "minmax"; }

  void observe(const Tensor& x) override {
    const Index length = x.size() / options_.rows;
    for (Index row = 0; row < options_.rows; ++row) {
      const Span seen = span_of(x.data() + row * length, length);
      if (options_.running && (low_[row] != 0 || high_[row] != 0)) {
        constexpr Real momentum = Real(0.1);
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
  Table table_;
  Tensor low_, high_;
};

/// What calibration has seen: up to 2^18 numbers a tensor, evenly spaced.
class Sample {
 public:
  explicit Sample(Index rows) : rows_(rows) {}

  void add(const Tensor& x) {
    if (rows_ > 1) numbers_.clear();  // weights: there is only one, keep its rows whole
    const Index room = (Index{1} << 18) - static_cast<Index>(numbers_.size());
    // No common factor with the channels, or some would never be seen.
    Index stride = rows_ > 1 ? 1 : std::max<Index>(1, x.size() / (Index{1} << 14));
    while (x.rank() > 0 && std::gcd(stride, x.dim(-1)) > 1) ++stride;
    if (rows_ == 1 && room <= 0) return;
    for (Index i = 0; i < x.size(); i += stride) numbers_.push_back(x[i]);
  }

  const Real* row(Index r) const { return numbers_.data() + r * length(); }
  Index length() const { return static_cast<Index>(numbers_.size()) / rows_; }
  void clear() { numbers_ = {}; }

 private:
  Index rows_;
  std::vector<Real> numbers_;
};

void fit(Table& table, const Sample& sample) {
  const RangeOptions& options = table.options;
  check(sample.length() > 0, "[quant] nothing was observed; calibrate before quantizing");
  for (int j = 0; j < options.widths.count(); ++j)
    for (Index row = 0; row < options.rows; ++row)
      table.set(j, row,
                best_cover(sample.row(row), sample.length(), table.grid(j), options.affine));
}

class MseRange final : public RangePolicy {
 public:
  explicit MseRange(const RangeOptions& options) : table_(options), sample_(options.rows) {}

  std::string_view name() const override { return "mse"; }
  void observe(const Tensor& x) override { sample_.add(x); }

  void finish() override {
    fit(table_, sample_);
    sample_.clear();
  }

  Ranges ranges(const Tensor&) override { return {table_.scale, table_.zero}; }

  void visit(nn::Visitor& visitor) override {
    visitor.buffer("scale", table_.scale.value());
    visitor.buffer("zero", table_.zero);
  }

 private:
  Table table_;
  Sample sample_;
};

class LearnedRange final : public RangePolicy {
 public:
  explicit LearnedRange(const RangeOptions& options)
      : table_(options),
        sample_(options.rows),
        log_scale_(Tensor({options.widths.count(), options.rows}, Real(0)), true) {
    check(!options.affine, "[quant] learned ranges have no zero-point; try mse or minmax");
  }

  std::string_view name() const override { return "learned"; }
  void observe(const Tensor& x) override { sample_.add(x); }

  void finish() override {
    fit(table_, sample_);
    sample_.clear();
    for (Index i = 0; i < log_scale_.value().size(); ++i)
      log_scale_.value()[i] = std::log(table_.scale.value()[i]);
  }

  Ranges ranges(const Tensor&) override {
    if (Tape::current() && Tape::current()->records() == Tape::Records::graph) {
      Tape aside;  // how log s becomes s is no part of the model's graph
      return {op::exp(Var(log_scale_.value())), table_.zero};
    }
    return {op::exp(log_scale_), table_.zero};
  }

  Var parameter() const override { return log_scale_; }
  void visit(nn::Visitor& visitor) override { visitor.parameter("log_scale", log_scale_); }

 private:
  Table table_;
  Sample sample_;
  Var log_scale_;
};

}  // namespace

std::unique_ptr<RangePolicy> minmax_range(const RangeOptions& options) {
  return std::make_unique<MinMaxRange>(options);
}

std::unique_ptr<RangePolicy> mse_range(const RangeOptions& options) {
  return std::make_unique<MseRange>(options);
}

std::unique_ptr<RangePolicy> learned_range(const RangeOptions& options) {
  return std::make_unique<LearnedRange>(options);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
