#pragma once

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "core/shape.hpp"

namespace fraqat {

/// Extent `i` of a shape that is aligned at the end with one of `rank`
/// dimensions; 1 where it has none.
inline Index aligned_extent(const Shape& shape, int i, int rank) {
  const int own = i - (rank - shape.rank());
  return own < 0 ? 1 : shape[own];
}

/// The shape to which a and b broadcast: aligned at the end, equal extents stay
/// and 1 is stretched.  Else an Error of [op].
inline Shape broadcast_shape(std::string_view op, const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  std::array<Index, Shape::max_rank> dims{};
  for (int i = 0; i < rank; ++i) {
    const Index u = aligned_extent(a, i, rank), v = aligned_extent(b, i, rank);
    check(u == v || u == 1 || v == 1, '[', op, "] shapes do not broadcast: got ", a, " and ", b,
          "; expected extents that, aligned at the end, are equal or 1");
    dims[static_cast<std::size_t>(i)] = u == 1 ? v : u;
  }
  return Shape(std::span(dims.data(), static_cast<std::size_t>(rank)));
}

/// A way through the positions of a shape, in row-major order, and where N
/// tensors that are stretched to it stand at each.  Neighbouring dimensions
/// that all of them pass alike are one.
template <std::size_t N>
class Walk {
 public:
  using Offsets = std::array<Index, N>;

  /// The next dimension inwards, and how far a step along it moves each tensor.
  void push(Index extent, const Offsets& strides) {
    size_ *= extent;
    if (extent == 1) return;
    Offsets joined = strides;
    for (Index& stride : joined) stride *= extent;
    if (extents_[last()] == 1) {
      extents_[last()] = extent;
    } else if (joined == strides_[last()]) {
      extents_[last()] *= extent;
    } else {
      extents_[static_cast<std::size_t>(rank_++)] = extent;
    }
    strides_[last()] = strides;
  }

  Index size() const { return size_; }

  /// How far a step along the innermost dimension moves each tensor.
  const Offsets& strides() const { return strides_[last()]; }

  /// Calls body(offsets, count) for the positions [begin, end): runs of `count`
  /// along the innermost dimension, and where they begin.
  template <class Body>
  void runs(Index begin, Index end, Body&& body) const {
    std::array<Index, Shape::max_rank> at{};
    Index rest = begin;
    for (int d = rank_ - 1; d > 0; --d) {
      at[static_cast<std::size_t>(d)] = rest % extents_[static_cast<std::size_t>(d)];
      rest /= extents_[static_cast<std::size_t>(d)];
    }
    at[0] = rest;
    Offsets offsets{};
    for (std::size_t d = 0; d <= last(); ++d) move(offsets, d, at[d]);
    while (begin < end) {
      const Index count = std::min(end - begin, extents_[last()] - at[last()]);
      body(std::as_const(offsets), count);
      begin += count;
      at[last()] += count;
      move(offsets, last(), count);
      for (std::size_t d = last(); d > 0 && at[d] == extents_[d]; --d) {
        move(offsets, d, -at[d]);
        at[d] = 0;
        ++at[d - 1];
        move(offsets, d - 1, 1);
      }
    }
  }

 private:
  std::size_t last() const { return static_cast<std::size_t>(rank_ - 1); }

  void move(Offsets& offsets, std::size_t d, Index steps) const {
    for (std::size_t n = 0; n < N; ++n) offsets[n] += steps * strides_[d][n];
  }

  int rank_ = 1;
  Index size_ = 1;
  std::array<Index, Shape::max_rank> extents_{1, 1, 1, 1, 1};
  std::array<Offsets, Shape::max_rank> strides_{};
};

}  // namespace fraqat
