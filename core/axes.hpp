#pragma once

#include <initializer_list>
#include <span>
#include <string_view>

#include "core/autograd.hpp"
#include "core/strided.hpp"

namespace fraqat::inline FRAQAT_PRECISION {

/// Dimensions by number, negative ones counted from the end; none named: all.
class Axes {
 public:
  Axes() = default;
  Axes(std::initializer_list<int> axes) : Axes(std::span(axes.begin(), axes.size())) {}
  explicit Axes(std::span<const int> axes) {
    check(axes.size() <= axes_.size(), "[axes] too many: got ", axes.size(), "; expected at most ",
          axes_.size());
    for (const int axis : axes) axes_[count_++] = axis;
  }

  std::span<const int> named() const { return {axes_.data(), count_}; }

 private:
  std::array<int, Shape::max_rank> axes_{};
  std::size_t count_ = 0;
};

/// What [op] over `axes` does to a shape; an Error for an axis that is not there
/// or named twice.
struct Reduction {
  Shape shape;      // of the operand
  Shape kept;       // the same with 1 for each joined dimension
  Shape result;     // kept, or without the joined dimensions
  Index count = 1;  // elements that become one
  std::array<bool, Shape::max_rank> joined{};

  Reduction(std::string_view op, const Shape& x, const Axes& axes, bool keepdim) : shape(x) {
    for (const int axis : axes.named()) {
      bool& seen = joined[static_cast<std::size_t>(checked_axis(op, x, axis))];
      check(!seen, '[', op, "] an axis is named twice: got ", axis, " for x ", x,
            "; expected each once at most");
      seen = true;
    }
    if (axes.named().empty()) joined.fill(true);
    std::array<Index, Shape::max_rank> ones{}, without{};
    std::size_t left = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(x.rank()); ++i) {
      const Index extent = x[static_cast<int>(i)];
      ones[i] = joined[i] ? 1 : extent;
      if (joined[i])
        count *= extent;
      else
        without[left++] = extent;
    }
    kept = Shape(std::span<const Index>(ones.data(), static_cast<std::size_t>(x.rank())));
    result = keepdim ? kept : Shape(std::span<const Index>(without.data(), left));
  }

  void describe(Attributes& a) const {
    std::vector<Index> axes;
    for (int i = 0; i < shape.rank(); ++i)
      if (joined[static_cast<std::size_t>(i)]) axes.push_back(i);
    a("axes", axes);
    a("keepdim", kept == result);
  }
};

}  // namespace fraqat::inline FRAQAT_PRECISION
