#include <algorithm>

#include "core/elementwise.hpp"
#include "core/ops.hpp"
#include "core/strided.hpp"

/// y[i] = x[i - before], `value` where x has no such position.
///
///   dL/dx[j] = dL/dy[j + before]
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

using Counts = std::array<Index, Shape::max_rank>;

struct Pad {
  static constexpr std::string_view name = "pad";
  Counts before, after;
  Real value;
  Shape from, to;

  void describe(Attributes& a) const {
    a("before", std::vector<Index>(before.begin(), before.begin() + from.rank()));
    a("after", std::vector<Index>(after.begin(), after.begin() + from.rank()));
    a("value", value);
  }

  Tensor forward(const Tensor& x) const {
    if (to.rank() == 0) return x;
    Tensor y(to);
    const Index row = to[-1];
    parallel_chunks(y.size() / row, grain_rows(row), [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r) write_row(r, x, y.data() + r * row);
    });
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    Tensor dx(from);
    copy_strided(from, dx.data(), strides_of(from), dy.data() + offset(), strides_of(to));
    return {dx};
  }

 private:
  // Row r of y, along the last dimension: one of x between two ends, or all padding.
  void write_row(Index r, const Tensor& x, Real* y) const {
    const Strides strides = strides_of(from);
    Index source = 0;
    bool inside = true;
    for (int d = to.rank() - 2; d >= 0; r /= to[d], --d) {
      const auto at = static_cast<std::size_t>(d);
      const Index i = r % to[d] - before[at];
      inside = inside && i >= 0 && i < from[d];
      source += i * strides[at];
    }
    const auto last = static_cast<std::size_t>(to.rank() - 1);
    if (!inside) {
      std::fill_n(y, to[-1], value);
      return;
    }
    y = std::fill_n(y, before[last], value);
    y = std::copy_n(x.data() + source, from[-1], y);
    std::fill_n(y, after[last], value);
  }

  Index offset() const {
    const Strides strides = strides_of(to);
    Index sum = 0;
    for (std::size_t d = 0; d < before.size(); ++d) sum += before[d] * strides[d];
    return sum;
  }
};

}  // namespace

Var pad(const Var& x, std::span<const Ends> ends, Real value) {
  const Shape& from = x.shape();
  check(static_cast<int>(ends.size()) == from.rank(), "[pad] wrong number of dimensions: got ",
        ends.size(), " for x ", from, "; expected one {before, after} for each");
  Pad pad{{}, {}, value, from, from};
  for (std::size_t d = 0; d < ends.size(); ++d) {
    const auto [least, most] = std::minmax(ends[d].before, ends[d].after);
    check(least >= 0 && most <= Shape::max_size, "[pad] impossible padding: got ", ends[d].before,
          " and ", ends[d].after, "; expected 0 to ", Shape::max_size);
    pad.before[d] = ends[d].before;
    pad.after[d] = ends[d].after;
    const int axis = static_cast<int>(d);
    pad.to = with_extent(pad.to, axis, ends[d].before + from[axis] + ends[d].after);
  }
  return apply(std::move(pad), x);
}

Var pad(const Var& x, std::initializer_list<Ends> ends, Real value) {
  return pad(x, std::span(ends.begin(), ends.size()), value);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
