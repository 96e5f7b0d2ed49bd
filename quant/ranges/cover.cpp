#include "quant/ranges/cover.hpp"

#include <algorithm>
#include <numeric>

#include "core/elementwise.hpp"
#include "core/random.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

constexpr Index of_batch = 1 << 14;  // numbers that a batch gives
constexpr std::size_t room = 1 << 18;

/// A width of all zeros gets this range: any will do, but it must be positive.
constexpr Real smallest_scale = Real(1e-8);

/// Of x[begin, end): by lanes, which fill vectors.
Span span_of_chunk(const Real* x, Index begin, Index end) {
  constexpr Index lanes = 16;
  Real low[lanes] = {}, high[lanes] = {};
  const auto see = [&](Index l, Real v) {
    low[l] = v < low[l] ? v : low[l];
    high[l] = v > high[l] ? v : high[l];
  };
  Index i = begin;
  for (; i + lanes <= end; i += lanes)
    for (Index l = 0; l < lanes; ++l) see(l, x[i + l]);
  for (; i < end; ++i) see(0, x[i]);
  return {*std::min_element(low, low + lanes), *std::max_element(high, high + lanes)};
}

}  // namespace

Span& Span::operator+=(const Span& other) {
  low = std::min(low, other.low);
  high = std::max(high, other.high);
  return *this;
}

Span span_of(std::span<const Real> x) {
  return parallel_sum<Span>(std::ssize(x), elementwise_grain, [&](Index begin, Index end) {
    return span_of_chunk(x.data(), begin, end);
  });
}

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

RangeTable::RangeTable(const RangeOptions& o)
    : options(o),
      scale(Tensor({o.widths.count(), o.rows}, Real(1))),
      zero(Tensor({o.widths.count(), o.rows}, Real(0))) {}

void RangeTable::set(int j, Index row, Affine range) {
  scale.value()[j * options.rows + row] = range.scale;
  zero.value()[j * options.rows + row] = range.zero;
}

void Sample::add(const Tensor& x) {
  if (whole_) {
    numbers_.assign(x.span().begin(), x.span().end());
    return;
  }
  // No common factor with the channels, or some would never be seen.
  Index stride = std::max<Index>(1, x.size() / of_batch);
  while (x.rank() > 0 && std::gcd(stride, x.dim(-1)) > 1) ++stride;
  for (Index i = 0; i < x.size(); i += stride) keep(x[i]);
}

void Sample::keep(Real number) {
  ++seen_;
  if (numbers_.size() < room) return numbers_.push_back(number);
  const Philox random(0, Stream::calibration);
  const Philox::Block draw =
      random({static_cast<std::uint32_t>(seen_ >> 32), static_cast<std::uint32_t>(seen_), 0, 0});
  const std::uint64_t at = ((std::uint64_t{draw[0]} << 32) + draw[1]) % seen_;
  if (at < numbers_.size()) numbers_[static_cast<std::size_t>(at)] = number;
}

void Sample::fit(RangeTable& table, Fit fit) {
  check(static_cast<Index>(numbers_.size()) >= rows_, "[quant] nothing was observed: got ",
        numbers_.size(), " numbers; expected ", rows_,
        " or more; try calibrating before quantizing");
  for (int j = 0; j < table.options.widths.count(); ++j)
    for (Index r = 0; r < rows_; ++r) table.set(j, r, fit(row(r), table.grid(j), table.options));
  numbers_ = {};
  seen_ = 0;
}

std::span<const Real> Sample::row(Index r) const {
  const std::size_t length = numbers_.size() / static_cast<std::size_t>(rows_);
  return std::span<const Real>(numbers_).subspan(static_cast<std::size_t>(r) * length, length);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
