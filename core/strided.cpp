#include "core/strided.hpp"

#include <algorithm>

#include "core/elementwise.hpp"
#include "core/walk.hpp"

namespace fraqat::inline FRAQAT_PRECISION {

Strides strides_of(const Shape& shape) {
  Strides strides{};
  Index step = 1;
  for (int d = shape.rank() - 1; d >= 0; step *= shape[d--])
    strides[static_cast<std::size_t>(d)] = step;
  return strides;
}

void copy_strided(const Shape& shape, Real* to, const Strides& to_strides, const Real* from,
                  const Strides& from_strides) {
  Walk<2> walk;
  for (int i = 0; i < shape.rank(); ++i) {
    const auto d = static_cast<std::size_t>(i);
    walk.push(shape[i], {to_strides[d], from_strides[d]});
  }
  const Index to_step = walk.strides()[0], from_step = walk.strides()[1];
  parallel_chunks(walk.size(), elementwise_grain, [&](Index begin, Index end) {
    walk.runs(begin, end, [&](const std::array<Index, 2>& offsets, Index count) {
      Real* __restrict__ out = to + offsets[0];
      const Real* in = from + offsets[1];
      if (to_step == 1 && from_step == 1)
        std::copy_n(in, count, out);
      else
        for (Index i = 0; i < count; ++i) out[i * to_step] = in[i * from_step];
    });
  });
}

int checked_axis(std::string_view who, const Shape& x, int axis) {
  check(x.rank() > 0, "[", who, "] no such axis: got ", axis, " for a scalar; expected none");
  check(axis >= -x.rank() && axis < x.rank(), "[", who, "] no such axis: got ", axis, " for x ", x,
        "; expected -", x.rank(), " to ", x.rank() - 1);
  return axis < 0 ? axis + x.rank() : axis;
}

Shape with_extent(const Shape& x, int axis, Index extent) {
  std::array<Index, Shape::max_rank> dims{};
  std::copy(x.dims().begin(), x.dims().end(), dims.begin());
  dims[static_cast<std::size_t>(axis)] = extent;
  return Shape(std::span(dims).first(static_cast<std::size_t>(x.rank())));
}

}  // namespace fraqat::inline FRAQAT_PRECISION
