#pragma once

#include <array>
#include <string_view>

#include "core/tensor.hpp"

/// Numbers that move: copies between regions and orders of tensors.
namespace fraqat::inline FRAQAT_PRECISION {

/// How far one step along each dimension moves within a tensor.
using Strides = std::array<Index, Shape::max_rank>;

/// The strides of a tensor of this shape.
Strides strides_of(const Shape& shape);

/// to[i . to_strides] = from[i . from_strides] for every position i of `shape`;
/// no number of `to` is written twice.
void copy_strided(const Shape& shape, Real* to, const Strides& to_strides, const Real* from,
                  const Strides& from_strides);

/// `axis` counted from the front, or an Error of [who] if x has no such axis.
int checked_axis(std::string_view who, const Shape& x, int axis);

/// `x` with another extent at `axis`.
Shape with_extent(const Shape& x, int axis, Index extent);

}  // namespace fraqat::inline FRAQAT_PRECISION
