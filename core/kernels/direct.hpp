#pragma once

#include "core/kernels/vector.hpp"

// What the direct convolutions share: which outputs see which part of the window.
namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS {

/// How many pixels a tile of B vectors has: their sums fill the registers, of 32 not quite
/// all, since every pixel wants a pointer, too, and of these there are 16.
constexpr Index pixels_of_tile(Index B) {
  return registers == 32 ? (B == 1 ? 12 : 10) : (B == 1 ? 12 : 6);
}
inline constexpr Index most_pixels = pixels_of_tile(1);

/// Vectors that cover `channels` (L or more).  The last may overlap the one
/// before; nothing is read or written beyond the channels.
[[gnu::always_inline]] inline Index vectors(Index channels) { return (channels + L - 1) / L; }

/// The first channel of vector v.
[[gnu::always_inline]] inline Index first_of(Index v, Index channels) {
  return at_most(v * L, channels - L);
}

/// Taps that the kernels for whole rows take together: a number of x has a part in the products of
/// three.
inline constexpr Index row_taps = 3;

/// Whether each pixel of a row of y lies under the second of three neighbouring taps.
[[gnu::always_inline]] inline bool whole_rows(const WindowAxis& columns) {
  return columns.taps == row_taps && columns.stride == 1 && columns.dilation == 1 &&
         columns.origin == -1 && columns.in == columns.out && columns.in >= row_taps;
}

/// Calls f with n, 1 to `most`, as a compile-time constant.
template <Index most, Index N = 1, class F>
[[gnu::always_inline]] inline void with_constant(Index n, const F& f) {
  if constexpr (N < most) {
    if (n > N) return with_constant<most, N + 1>(n, f);
  }
  f(std::integral_constant<Index, N>());
}

/// The input position of output i under a tap.
[[gnu::always_inline]] inline Index position(const WindowAxis& axis, Index i, Index tap) {
  return axis.origin + i * axis.stride + tap * axis.dilation;
}

/// Outputs [begin, end) under which just the taps [tap, tap_end) lie in the input.
struct Stretch {
  Index begin, end, tap, tap_end;
};

/// The stretch that begins with output i.
inline Stretch stretch_from(const WindowAxis& axis, Index i) {
  const auto first = [&](Index o) {
    const Index before = -position(axis, o, 0);
    return at_most(axis.taps, before > 0 ? (before + axis.dilation - 1) / axis.dilation : 0);
  };
  const auto last = [&](Index o) {
    const Index room = axis.in - position(axis, o, 0);
    return at_most(axis.taps, room > 0 ? (room + axis.dilation - 1) / axis.dilation : 0);
  };
  Stretch stretch{i, i + 1, first(i), last(i)};
  while (stretch.end < axis.out && first(stretch.end) == stretch.tap &&
         last(stretch.end) == stretch.tap_end)
    ++stretch.end;
  return stretch;
}

/// Output pixels that see the same taps.
struct Block {
  Stretch rows, columns;

  Index pixels() const { return (rows.end - rows.begin) * (columns.end - columns.begin); }
  Index tap_rows() const { return at_least(0, rows.tap_end - rows.tap); }
  Index tap_columns() const { return at_least(0, columns.tap_end - columns.tap); }
};

/// Calls f(stretch) for stretches that make up all outputs of an axis.
template <class F>
[[gnu::always_inline]] inline void each_stretch(const WindowAxis& axis, const F& f) {
  for (Index i = 0; i < axis.out;) {
    const Stretch stretch = stretch_from(axis, i);
    f(stretch);
    i = stretch.end;
  }
}

/// Calls f(block) for blocks that make up all outputs.
template <class F>
[[gnu::always_inline]] inline void each_block(const DirectConvolution& d, const F& f) {
  each_stretch(d.rows, [&](const Stretch& rows) {
    each_stretch(d.columns, [&](const Stretch& columns) { f(Block{rows, columns}); });
  });
}

}  // namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS
