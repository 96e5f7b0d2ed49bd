// Max pooling over windows that touch but do not overlap, channels in lanes.

#include "core/kernels/vector.hpp"

namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS {
namespace {

void forward_pixel(const PoolRow& row, const Real* x, Real* y) {
  for (Index c = 0; c < row.C; ++c) {
    Real best = x[c];
    for (Index r = 0; r < row.kernel; ++r)
      for (Index s = 0; s < row.kernel; ++s) {
        const Real v = x[(r * row.W + s) * row.C + c];
        best = v > best || v != v ? v : best;
      }
    y[c] = row.relu && best <= 0 ? 0 : best;
  }
}

template <class V>
[[gnu::always_inline]] inline void forward_vector(const PoolRow& row, const Real* x, Real* y) {
  V best = read<V>(x);
  for (Index r = 0; r < row.kernel; ++r)
    for (Index s = 0; s < row.kernel; ++s) {
      const V v = read<V>(x + (r * row.W + s) * row.C);
      best = ((v > best) | (v != v)) ? v : best;
    }
  if (row.relu) best = best <= V{} ? V{} : best;
  write<V>(y, best);
}

void backward_pixel(const PoolRow& row, const Real* x, const Real* y, const Real* dy, Real* dx) {
  for (Index c = 0; c < row.C; ++c) {
    bool open = !row.relu || y[c] > 0;
    for (Index r = 0; r < row.kernel; ++r)
      for (Index s = 0; s < row.kernel; ++s) {
        const Index at = (r * row.W + s) * row.C + c;
        const bool wins = open && x[at] == y[c];
        dx[at] = wins ? dy[c] : 0;
        open = open && !wins;
      }
  }
}

template <class V>
[[gnu::always_inline]] inline void backward_vector(const PoolRow& row, const Real* x,
                                                   const Real* from_y, const Real* from_dy,
                                                   Real* dx) {
  const V y = read<V>(from_y), dy = read<V>(from_dy);
  auto open = row.relu ? y > V{} : y == y;
  for (Index r = 0; r < row.kernel; ++r)
    for (Index s = 0; s < row.kernel; ++s) {
      const Index at = (r * row.W + s) * row.C;
      const auto wins = (read<V>(x + at) == y) & open;
      write<V>(dx + at, wins ? dy : V{});
      open &= ~wins;
    }
}

// Calls vector.operator()<V>(c) for the channels of output pixel q: full vectors, of
// which the last may overlap the one before, or, where a pixel has fewer channels than
// a vector, one that reaches into the next pixel, which is written after it.  At the
// end of a row there is no next pixel: short vectors, or pixel().
template <class OfVector, class OfPixel>
[[gnu::always_inline]] inline void each_vector(const PoolRow& row, Index q, const OfVector& vector,
                                               const OfPixel& pixel) {
  const auto all = [&]<class V>(V) __attribute__((always_inline)) {
    for (Index c = 0; c < row.C; c += lanes_of<V>)
      vector.template operator()<V>(at_most(c, row.C - lanes_of<V>));
  };
  const Index room = at_most(row.W - q * row.kernel - row.kernel + 1, row.Q - q) * row.C;
  if (row.C >= L)
    all(Vector{});
  else if (room >= L)
    vector.template operator()<Vector>(0);
  else if (row.C >= lanes_of<Short>)
    all(Short{});
  else
    pixel();
}

[[gnu::always_inline]] inline void forward_row(const PoolRow row, const Real* x, Real* y) {
  for (Index q = 0; q < row.Q; ++q, x += row.kernel * row.C, y += row.C)
    each_vector(
        row, q,
        [&]<class V>(Index c)
            __attribute__((always_inline)) { forward_vector<V>(row, x + c, y + c); },
        [&] { forward_pixel(row, x, y); });
}

[[gnu::always_inline]] inline void backward_row(const PoolRow row, const Real* x, const Real* y,
                                                const Real* dy, Real* dx) {
  Real* rest = dx + row.Q * row.kernel * row.C;
  for (Index q = 0; q < row.Q;
       ++q, x += row.kernel * row.C, dx += row.kernel * row.C, y += row.C, dy += row.C)
    each_vector(
        row, q,
        [&]<class V>(Index c) __attribute__((always_inline)) {
          backward_vector<V>(row, x + c, y + c, dy + c, dx + c);
        },
        [&] { backward_pixel(row, x, y, dy, dx); });
  for (Index r = 0; r < row.kernel; ++r, rest += row.W * row.C)
    for (Index i = 0; i < (row.W - row.Q * row.kernel) * row.C; ++i) rest[i] = 0;
}

}  // namespace

// The usual window is a constant, so that the compiler unrolls it.

void max_pool_forward(const PoolRow& row, const Real* x, Real* y) {
  if (row.kernel == 2) return forward_row({2, row.W, row.C, row.Q, row.relu}, x, y);
  forward_row(row, x, y);
}

void max_pool_backward(const PoolRow& row, const Real* x, const Real* y, const Real* dy, Real* dx) {
  if (row.kernel == 2) return backward_row({2, row.W, row.C, row.Q, row.relu}, x, y, dy, dx);
  backward_row(row, x, y, dy, dx);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS
