#pragma once

#include <limits>
#include <type_traits>

#include "core/elementwise.hpp"
#include "core/walk.hpp"

/// Joins (a sum, the largest) over some dimensions of an expression.  Partition
/// and order depend on shapes only.
namespace fraqat::inline FRAQAT_PRECISION {

template <std::size_t N>
using Pointers = std::array<const Real*, N>;

template <std::size_t N>
Pointers<N> moved(Pointers<N> x, const std::array<Index, N>& by) {
  for (std::size_t n = 0; n < N; ++n) x[n] += by[n];
  return x;
}

/// How N operands that broadcast to `shape` are passed on the way to `to`, which
/// broadcasts to it as well: the positions of the dimensions that `to` keeps, and
/// those that become one element of it.
template <std::size_t N>
struct Passage {
  Walk<N> kept, joined;
  bool keeps_innermost = true;

  Passage(const Shape& shape, const Shape& to, const std::array<Shape, N>& operands) {
    for (int i = 0; i < shape.rank(); ++i) {
      std::array<Index, N> strides;
      for (std::size_t n = 0; n < N; ++n) strides[n] = stride(operands[n], i, shape.rank());
      const bool keeps = aligned_extent(to, i, shape.rank()) == shape[i];
      (keeps ? kept : joined).push(shape[i], strides);
      if (shape[i] != 1) keeps_innermost = keeps;
    }
  }

 private:
  static Index stride(const Shape& operand, int i, int rank) {
    if (aligned_extent(operand, i, rank) == 1) return 0;
    Index product = 1;
    while (++i < rank) product *= aligned_extent(operand, i, rank);
    return product;
  }
};

/// Calls body(moving), an integral_constant whose bit n says that operand n moves
/// with the innermost dimension; else it stands still.
template <std::size_t N, std::size_t Moving = 0, class Body>
void with_moving(const std::array<Index, N>& strides, const Body& body) {
  if constexpr (Moving < std::size_t{1} << N) {
    std::size_t moving = 0;
    for (std::size_t n = 0; n < N; ++n) moving |= std::size_t{strides[n] != 0} << n;
    if (moving == Moving) return body(std::integral_constant<std::size_t, Moving>{});
    with_moving<N, Moving + 1>(strides, body);
  }
}

/// f of the operands, i positions along the innermost dimension.
template <std::size_t Moving, class F, std::size_t N>
inline auto at(const F& f, const Pointers<N>& x, Index i) {
  return [&]<std::size_t... n>(std::index_sequence<n...>) {
    return f(x[n][(Moving >> n & 1) != 0 ? i : 0]...);
  }
  (std::make_index_sequence<N>{});
}

/// What a fold does with two values, and the value it begins with.
struct Added {
  static constexpr double start = 0;
  static double join(double a, double b) { return a + b; }
};

struct Largest {
  static constexpr double start = -std::numeric_limits<double>::infinity();
  static double join(double a, double b) { return b > a || b != b ? b : a; }  // a NaN stays
};

/// Joins f(operands...) over some dimensions, in tasks of `kept` elements of the
/// result over `joined` positions each.
template <class Join, class F, std::size_t N>
class Fold {
 public:
  /// The passage is not empty.
  Fold(const F& f, const Passage<N>& passage, const Pointers<N>& x)
      : f_(f),
        x_(x),
        passage_(passage),
        size_(passage.kept.size()),
        positions_(passage.joined.size()) {
    constexpr Index most = 64, row = 1024;  // tasks that share elements; values in the first cache
    kept_ = std::max(passage.keeps_innermost ? row : 1, elementwise_grain / positions_);
    across_ = parts(size_, kept_);
    const Index along = std::min(most / across_, size_ * positions_ / elementwise_grain);
    joined_ = parts(positions_, std::max<Index>(1, along));
    along_ = parts(positions_, joined_);
  }

  /// result[k] = finish(join of all positions of k), for every k.
  template <class Finish>
  void operator()(Real* result, const Finish& finish) const {
    std::vector<double, PoolAllocator<double>> parts(static_cast<std::size_t>(along_ * size_),
                                                     Join::start);
    const auto& innermost = passage_.keeps_innermost ? passage_.kept : passage_.joined;
    with_moving(innermost.strides(), [&](auto moving) {
      parallel_chunks(across_ * along_, 1,
                      [&](Index task, Index) { run<moving>(task, parts.data()); });
    });
    parallel_chunks(size_, grain_rows(along_), [&](Index begin, Index end) {
      for (Index k = begin; k < end; ++k) result[k] = finish(joined_pairwise(parts.data() + k));
    });
  }

 private:
  static Index parts(Index whole, Index part) { return (whole + part - 1) / part; }

  template <std::size_t Moving>
  void run(Index task, double* values) const {
    const Index k = task % across_ * kept_, r = task / across_ * joined_;
    const Index k_end = std::min(size_, k + kept_), r_end = std::min(positions_, r + joined_);
    values += task / across_ * size_ + k;
    if (passage_.keeps_innermost)
      columns<Moving>(k, k_end, r, r_end, values);
    else
      rows<Moving>(k, k_end, r, r_end, values);
  }

  // The innermost dimension is kept: one position after the other joins all values.
  template <std::size_t Moving>
  void columns(Index k, Index k_end, Index r, Index r_end, double* values) const {
    passage_.joined.runs(r, r_end, [&](const std::array<Index, N>& start, Index count) {
      Pointers<N> row = moved(x_, start);
      for (Index i = 0; i < count; ++i, row = moved(row, passage_.joined.strides())) {
        double* to = values;
        passage_.kept.runs(k, k_end, [&](const std::array<Index, N>& offsets, Index width) {
          const Pointers<N> x = moved(row, offsets);
          double* __restrict__ value = to;
          for (Index c = 0; c < width; ++c) value[c] = Join::join(value[c], at<Moving>(f_, x, c));
          to += width;
        });
      }
    });
  }

  // The innermost dimension is joined: one value after the other, in eight lanes.
  template <std::size_t Moving>
  void rows(Index k, Index k_end, Index r, Index r_end, double* values) const {
    passage_.kept.runs(k, k_end, [&](const std::array<Index, N>& start, Index count) {
      Pointers<N> row = moved(x_, start);
      for (Index i = 0; i < count; ++i, row = moved(row, passage_.kept.strides())) {
        Lanes lanes;
        lanes.fill(Join::start);
        passage_.joined.runs(r, r_end, [&](const std::array<Index, N>& offsets, Index width) {
          join_run<Moving>(lanes, moved(row, offsets), width);
        });
        *values++ = joined_lanes(lanes);
      }
    });
  }

  using Lanes = std::array<double, 8>;

  template <std::size_t Moving>
  void join_run(Lanes& lanes, const Pointers<N>& x, Index count) const {
    constexpr Index width = std::tuple_size_v<Lanes>;
    Index i = 0;
    for (; i + width <= count; i += width)
      for (Index l = 0; l < width; ++l) {
        double& lane = lanes[static_cast<std::size_t>(l)];
        lane = Join::join(lane, at<Moving>(f_, x, i + l));
      }
    for (std::size_t l = 0; i < count; ++i, ++l)
      lanes[l] = Join::join(lanes[l], at<Moving>(f_, x, i));
  }

  static double joined_lanes(const Lanes& v) {
    return Join::join(Join::join(Join::join(v[0], v[4]), Join::join(v[2], v[6])),
                      Join::join(Join::join(v[1], v[5]), Join::join(v[3], v[7])));
  }

  // The parts of one value, `size_` apart; overwrites them.
  double joined_pairwise(double* part) const {
    for (Index apart = 1; apart < along_; apart *= 2)
      for (Index i = 0; i + apart < along_; i += 2 * apart)
        part[i * size_] = Join::join(part[i * size_], part[(i + apart) * size_]);
    return part[0];
  }

  const F& f_;
  Pointers<N> x_;
  const Passage<N>& passage_;
  Index size_, positions_;  // elements of the result; positions that each stands for
  Index kept_, joined_;     // of one task
  Index across_, along_;    // tasks
};

/// A new tensor of shape `to`, which like the operands broadcasts to `shape`:
/// finish(join of f(operands...)) over the positions that each element stands for.
/// Computed in double: within fixed chunks in order, and these pairwise.
template <class Join, class F, class Finish, class... Operands>
Tensor fold(const Shape& shape, const Shape& to, const F& f, const Finish& finish,
            const Operands&... operands) {
  constexpr std::size_t N = sizeof...(Operands);
  Tensor result(to);
  const Passage<N> passage(shape, to, {operands.shape()...});
  if (shape.size() == 0)
    result.fill(finish(Join::start));
  else
    Fold<Join, F, N>(f, passage, {operands.data()...})(result.data(), finish);
  return result;
}

}  // namespace fraqat::inline FRAQAT_PRECISION
