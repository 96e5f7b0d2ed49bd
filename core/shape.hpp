#pragma once

#include <algorithm>
#include <array>
#include <initializer_list>
#include <ostream>
#include <span>

#include "core/error.hpp"
#include "core/real.hpp"

namespace fraqat {

/// The extents of a tensor, at most five, with at most 2^46 elements, so that no product of
/// them overflows; rank 0 is a scalar of one element.
/// Images are [N, H, W, C], convolution weights [O, H, W, I].
class Shape {
 public:
  static constexpr int max_rank = 5;
  static constexpr Index max_size = Index(1) << 46;

  Shape() = default;
  Shape(std::initializer_list<Index> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const Index> dims) {
    check(dims.size() <= max_rank, "[shape] too many dimensions: got ", dims.size(),
          "; expected at most ", max_rank);
    for (Index d : dims) {
      check(d >= 0, "[shape] negative extent: got ", d, "; expected 0 or more");
      dims_[rank_++] = d;
    }
    Index product = 1;
    bool overflows = false;
    for (const Index d : dims)  // an extent of 0 hides nothing: strides are products, too
      overflows |= __builtin_mul_overflow(product, std::max<Index>(d, 1), &product);
    check(!overflows && product <= max_size, "[shape] too large: got ", *this,
          "; expected at most ", max_size, " elements");
  }

  int rank() const { return rank_; }

  /// Extent of dimension `i` in [-rank, rank), not checked; negative counts from
  /// the end.
  Index operator[](int i) const { return dims_[i < 0 ? i + rank_ : i]; }

  Index size() const {
    Index n = 1;
    for (int i = 0; i < rank_; ++i) n *= dims_[i];
    return n;
  }

  std::span<const Index> dims() const { return {dims_.data(), static_cast<std::size_t>(rank_)}; }

  bool operator==(const Shape&) const = default;

 private:
  std::array<Index, max_rank> dims_{};  // zero beyond rank_, so that == may compare all
  int rank_ = 0;
};

inline std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int i = 0; i < shape.rank(); ++i) out << (i ? ", " : "") << shape[i];
  return out << ']';
}

}  // namespace fraqat
