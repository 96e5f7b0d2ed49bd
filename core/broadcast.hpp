#pragma once

#include "core/fold.hpp"

/// Expressions of operands that are stretched to one shape, by the rules of
/// numpy, and the way back of their gradients.
namespace fraqat::inline FRAQAT_PRECISION {

/// A new tensor with f(operands...) at every position of `shape`, to which all
/// of them broadcast.  `f` is inlined and must be pure.
template <class F, class... Operands>
Tensor map_to(const Shape& shape, F f, const Operands&... operands) {
  if (((operands.shape() == shape) && ...)) return map(f, operands...);
  constexpr std::size_t N = sizeof...(Operands);
  Tensor result(shape);
  if (result.size() == 0) return result;
  const Passage<N> passage(shape, shape, {operands.shape()...});
  const Pointers<N> x{operands.data()...};
  with_moving(passage.kept.strides(), [&](auto moving) {
    parallel_chunks(result.size(), elementwise_grain, [&](Index begin, Index end) {
      Real* to = result.data() + begin;
      passage.kept.runs(begin, end, [&](const std::array<Index, N>& offsets, Index count) {
        const Pointers<N> from = moved(x, offsets);
        Real* __restrict__ out = to;
        for (Index i = 0; i < count; ++i) out[i] = at<moving>(f, from, i);
        to += count;
      });
    });
  });
  return result;
}

/// The same at the shape that they broadcast to, or an Error of [op].
template <class F, class First, class... Rest>
Tensor map_broadcast(std::string_view op, F f, const First& first, const Rest&... rest) {
  Shape shape = first.shape();
  ((shape = broadcast_shape(op, shape, rest.shape())), ...);
  check((first && ... && rest), '[', op, "] an operand is none: got no tensor; expected one");
  return map_to(shape, f, first, rest...);
}

/// x summed, in double and in the order of fold(), over the positions that one
/// element of a tensor of shape `to` was stretched to; x's own storage where
/// nothing was stretched.
Tensor sum_to(const Shape& to, const Tensor& x);

/// The gradient to an operand of shape `to`: f(dy, saved...), summed to it.
/// `saved` broadcast to dy.
template <class F, class... Saved>
Tensor sum_to(const Shape& to, F f, const Tensor& dy, const Saved&... saved) {
  return sum_to(to, map_to(dy.shape(), f, dy, saved...));
}

}  // namespace fraqat::inline FRAQAT_PRECISION
