// Max pooling over windows that touch but do not overlap, channels in lanes.

#include "core/kernels/vector.hpp"

namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS {
namespace {

using Mask = decltype(Vector{} == Vector{});

[[gnu::always_inline]] inline Vector where(Mask mask, Vector yes, Vector no) {
  return reinterpret_cast<Vector>((reinterpret_cast<Mask>(yes) & mask) |
                                  (reinterpret_cast<Mask>(no) & ~mask));
}

// How the channels of one output pixel are taken: full vectors, of which the
// last may overlap the one before, or, where a pixel has fewer channels than a
// vector, one that reaches into the next pixel, which is written after it.  At
// the end of a row there is no next pixel: `vectors` is 0.
struct Channels {
  Channels(const PoolRow& row, Index q) {
    const Index room = at_most(row.W - q * row.kernel - row.kernel + 1, row.Q - q) * row.C;
    vectors = row.C >= L ? (row.C + L - 1) / L : room >= L;
    last = at_least(row.C - L, 0);
  }

  Index begin(Index i) const { return at_most(i * L, last); }

  Index vectors, last;
};

void forward_pixel(const PoolRow& row, const Real* x, Real* y) {
  for (Index c = 0; c < row.C; ++c) {
    Real best = x[c];
    for (Index r = 0; r < row.kernel; ++r)
      for (Index s = 0; s < row.kernel; ++s) {
        const Real v = x[(r * row.W + s) * row.C + c];
        best = v > best || v != v ? v : best;
      }
    y[c] = best;
  }
}

[[gnu::always_inline]] inline Vector largest(const PoolRow& row, const Real* x) {
  Vector best = load(x);
  for (Index r = 0; r < row.kernel; ++r)
    for (Index s = 0; s < row.kernel; ++s) {
      const Vector v = load(x + (r * row.W + s) * row.C);
      best = where((v > best) | (v != v), v, best);
    }
  return best;
}

void backward_pixel(const PoolRow& row, const Real* x, const Real* y, const Real* dy, Real* dx) {
  for (Index c = 0; c < row.C; ++c) {
    bool open = true;
    for (Index r = 0; r < row.kernel; ++r)
      for (Index s = 0; s < row.kernel; ++s) {
        const Index at = (r * row.W + s) * row.C + c;
        const bool wins = open && x[at] == y[c];
        dx[at] = wins ? dy[c] : 0;
        open = open && !wins;
      }
  }
}

[[gnu::always_inline]] inline void backward_vector(const PoolRow& row, const Real* x, Vector y,
                                                   Vector dy, Real* dx) {
  Mask open = y == y;
  for (Index r = 0; r < row.kernel; ++r)
    for (Index s = 0; s < row.kernel; ++s) {
      const Index at = (r * row.W + s) * row.C;
      const Mask wins = (load(x + at) == y) & open;
      store(dx + at, where(wins, dy, Vector{}));
      open &= ~wins;
    }
}

[[gnu::always_inline]] inline void forward_row(const PoolRow row, const Real* x, Real* y) {
  for (Index q = 0; q < row.Q; ++q, x += row.kernel * row.C, y += row.C) {
    const Channels channels(row, q);
    if (channels.vectors == 0) forward_pixel(row, x, y);
    for (Index i = 0; i < channels.vectors; ++i)
      store(y + channels.begin(i), largest(row, x + channels.begin(i)));
  }
}

[[gnu::always_inline]] inline void backward_row(const PoolRow row, const Real* x, const Real* y,
                                                const Real* dy, Real* dx) {
  Real* rest = dx + row.Q * row.kernel * row.C;
  for (Index q = 0; q < row.Q;
       ++q, x += row.kernel * row.C, dx += row.kernel * row.C, y += row.C, dy += row.C) {
    const Channels channels(row, q);
    if (channels.vectors == 0) backward_pixel(row, x, y, dy, dx);
    for (Index i = 0; i < channels.vectors; ++i) {
      const Index c = channels.begin(i);
      backward_vector(row, x + c, load(y + c), load(dy + c), dx + c);
    }
  }
  for (Index r = 0; r < row.kernel; ++r, rest += row.W * row.C)
    for (Index i = 0; i < (row.W - row.Q * row.kernel) * row.C; ++i) rest[i] = 0;
}

}  // namespace

// The usual window is a constant, so that the compiler unrolls it.

void max_pool_forward(const PoolRow& row, const Real* x, Real* y) {
  if (row.kernel == 2) return forward_row({2, row.W, row.C, row.Q}, x, y);
  forward_row(row, x, y);
}

void max_pool_backward(const PoolRow& row, const Real* x, const Real* y, const Real* dy, Real* dx) {
  if (row.kernel == 2) return backward_row({2, row.W, row.C, row.Q}, x, y, dy, dx);
  backward_row(row, x, y, dy, dx);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS
