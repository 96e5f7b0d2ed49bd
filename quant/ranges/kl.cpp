#include <algorithm>
#include <cmath>
#include <limits>

#include "quant/ranges/cover.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

constexpr int bins = 2048;
constexpr int thresholds = 256;
constexpr int narrowest = 16;  // of the thresholds: 128 bins

/// One of equal parts of the number line: where it is, its numbers n, and the sums of n and of
/// n log n up to it, itself included.
struct Bin {
  Real centre = 0;
  double count = 0, counts = 0, logs = 0;
};

/// The bins that are not empty, rising; without a zero-point of magnitudes.  Numbers that are 0
/// do not count: they are exact in every range.  A NaN counts nowhere.
class Histogram {
 public:
  Histogram(std::span<const Real> x, bool affine) {
    const Span whole = span_of(x);
    span = affine ? whole : Span{0, std::max(-whole.low, whole.high)};
    const Real width = (span.high - span.low) / bins;
    if (!(width > 0) || !std::isfinite(width)) return;
    std::vector<double> counts(bins);
    for (const Real v : x) {
      if (v == 0 || std::isnan(v)) continue;
      const Real at = ((affine ? v : std::abs(v)) - span.low) / width;
      ++counts[static_cast<std::size_t>(std::clamp(at, Real(0), Real(bins - 1)))];
    }
    Bin bin;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] == 0) continue;
      bin.centre = span.low + (static_cast<Real>(i) + Real(0.5)) * width;
      bin.count = counts[i];
      bin.counts += bin.count;
      bin.logs += bin.count * std::log(bin.count);
      filled.push_back(bin);
    }
  }

  Span span;
  std::vector<Bin> filled;
};

/// The divergence of what the codes of `range` stand for from the numbers that
/// are clipped to `inside`.
///
///   P: the histogram, what is clipped in the last bin at its end
///   Q: the numbers inside; those of one code are spread evenly over its bins that
///      are not empty, since the code does not tell them apart
///   sum P log(P / Q) = sum P log P - sum over codes of (their P) log Q
double divergence(const std::vector<Bin>& all, Span inside, Affine range, Grid grid) {
  const auto within = [](Real end) { return [end](const Bin& b) { return b.centre <= end; }; };
  const auto first = std::partition_point(all.begin(), all.end(), within(inside.low));
  const auto last = std::partition_point(first, all.end(), within(inside.high));
  // One bin alone has all of P and of Q, whatever is clipped.
  if (last - first < 2) return std::numeric_limits<double>::infinity();
  const Real lo = static_cast<Real>(grid.lo) - range.zero;
  const Real hi = static_cast<Real>(grid.hi) - range.zero;
  struct Code {
    double count = 0, bins = 0;
  };
  std::vector<Code> codes(static_cast<std::size_t>(grid.hi - grid.lo) + 1);
  const auto code = [&](const Bin& bin) -> Code& {
    return codes[static_cast<std::size_t>(centred_code(bin.centre, range.scale, lo, hi, grid.step) -
                                          lo)];
  };
  for (auto b = first; b != last; ++b) {
    Code& c = code(*b);
    c.count += b->count;
    ++c.bins;
  }
  const Bin &front = *first, &back = *(last - 1);
  const double total = all.back().counts, kept = back.counts - front.counts + front.count;
  const double below = front.counts - front.count, above = total - back.counts;
  double sum =
      back.logs - front.logs + front.count * std::log(front.count);  // P log P, total times
  for (const Code& c : codes)
    if (c.count > 0) sum -= c.count * std::log(c.count / c.bins);
  const auto clip = [&](const Bin& end, double more) {
    const Code& c = code(end);
    const double n = end.count;
    sum += (n + more) * std::log(n + more) - n * std::log(n) - more * std::log(c.count / c.bins);
  };
  clip(front, below);
  clip(back, above);
  return sum / total + std::log(kept / total);
}

}  // namespace

Affine least_divergence(std::span<const Real> x, Grid grid, const RangeOptions& options) {
  const Histogram histogram(x, options.affine);
  const Real largest = std::max(-histogram.span.low, histogram.span.high);
  Affine best = cover(span_of(x), grid, options.affine);
  double least = std::numeric_limits<double>::infinity();
  for (int step = thresholds; step >= narrowest; --step) {
    const Real end = largest * (static_cast<Real>(step) / thresholds);
    const Span inside{std::max(histogram.span.low, -end), std::min(histogram.span.high, end)};
    const Affine range = cover(inside, grid, options.affine);
    const double d = divergence(histogram.filled, inside, range, grid);
    if (d >= least) continue;
    least = d;
    best = range;
  }
  return best;
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
