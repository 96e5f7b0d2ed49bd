#pragma once

#include <algorithm>

#include "core/elementwise.hpp"
#include "core/ops.hpp"

namespace fraqat::inline FRAQAT_PRECISION {

/// Whether windows may have these strides, dilations or kernels, and their image this padding.
inline bool possible_windows(std::initializer_list<Index> steps, const op::Padding& p) {
  const auto [least, most] = std::minmax({p.top, p.bottom, p.left, p.right});
  return std::min(steps) >= 1 && std::max(steps) <= op::max_window && least >= 0 &&
         most <= op::max_window;
}

/// Where the windows of a pooling over x[N, H, W, C] lie; every window holds at
/// least one pixel.
class Windows {
 public:
  /// Checks x and the options; `who` is the op in the text of an Error.
  Windows(std::string_view who, const Shape& x, const op::Pool2dOptions& options)
      : kernel_(options.kernel), stride_(options.stride), padding_(options.padding), x_(x) {
    check(x.rank() == 4, "[", who, "] no image: got x ", x, "; expected x[N, H, W, C]");
    check(possible_windows({kernel_, stride_}, padding_) && padding_ < kernel_, "[", who,
          "] impossible window: got kernel ", kernel_, ", stride ", stride_, ", padding ", padding_,
          "; expected kernel and stride of 1 to ", op::max_window, " and 0 <= padding < kernel");
    check(x[1] + 2 * padding_ >= kernel_ && x[2] + 2 * padding_ >= kernel_, "[", who,
          "] window larger than the image: got kernel ", kernel_, ", padding ", padding_, ", x ", x,
          "; expected kernel <= H + 2 padding and W + 2 padding");
    y_ = {x[0], extent(x[1]), extent(x[2]), x[3]};
  }

  const Shape& input() const { return x_; }
  const Shape& output() const { return y_; }
  Index channels() const { return x_[3]; }
  Index kernel() const { return kernel_; }

  /// Every pixel lies in one window at most.
  bool disjoint() const { return kernel_ == stride_ && padding_ == 0; }

  /// And every pixel in one.
  bool tile() const { return disjoint() && x_[1] % kernel_ == 0 && x_[2] % kernel_ == 0; }

  /// Rows of the output in all, and how many a task should have.
  Index rows() const { return y_[0] * y_[1]; }
  Index grain() const { return grain_rows(y_[2] * channels() * kernel_); }

  /// The pixels of the image in one window: offsets at channel 0, in y and of the first
  /// pixel in x, and how many rows and columns they are.
  struct Pixels {
    Index to, from, rows, columns;
  };

  /// body(pixels) for every window of output row `row`.
  template <class Body>
  void each(Index row, Body body) const {
    const Index n = row / y_[1], top = row % y_[1] * stride_ - padding_;
    const Index h = std::max<Index>(0, top), rows = std::min(x_[1], top + kernel_) - h;
    for (Index j = 0; j < y_[2]; ++j) {
      const Index left = j * stride_ - padding_;
      const Index w = std::max<Index>(0, left), columns = std::min(x_[2], left + kernel_) - w;
      body(Pixels{(row * y_[2] + j) * channels(), ((n * x_[1] + h) * x_[2] + w) * channels(), rows,
                  columns});
    }
  }

  /// For every pixel of output row `row` and every pixel of its window, in
  /// order: body(offset in y, offset in x, first of this window), both offsets
  /// at channel 0.
  template <class Body>
  void visit(Index row, Body body) const {
    const Index C = channels();
    each(row, [&](const Pixels& p) {
      for (Index h = 0; h < p.rows; ++h)
        for (Index w = 0; w < p.columns; ++w)
          body(p.to, p.from + (h * x_[2] + w) * C, h == 0 && w == 0);
    });
  }

  void describe(Attributes& a) const {
    a("kernel", kernel_);
    a("stride", stride_);
    a("padding", padding_);
  }

 private:
  Index extent(Index size) const { return (size + 2 * padding_ - kernel_) / stride_ + 1; }

  Index kernel_, stride_, padding_;
  Shape x_, y_;
};

}  // namespace fraqat::inline FRAQAT_PRECISION
