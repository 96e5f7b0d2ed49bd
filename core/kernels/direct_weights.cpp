// Gradients to the weights of a convolution, output channels in lanes.  See
// README.md.

#include "core/kernels/direct.hpp"

namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS {
namespace {

constexpr Index resident_weights =
    12288;  // numbers of x and dy that a tile passes over: in reach of the caches

// The outputs under which one tap of the window lies in the image.
struct Area {
  Index rows, columns;
};

// The range of outputs in [begin, end) that see a tap.
Stretch outputs_of(const WindowAxis& axis, Index tap, Index begin, Index end) {
  while (begin < end && position(axis, begin, tap) < 0) ++begin;
  while (begin < end && position(axis, end - 1, tap) >= axis.in) --end;
  return {begin, end, tap, tap + 1};
}

// The gradient of A input channels and B vectors of outputs, `gap` numbers from
// one to the next: sums over an area, added to what is there or not.
template <Index A, Index B>
[[gnu::noinline]] void weights_tile(const DirectConvolution& d, const Area& area, const Real* x,
                                    const Real* dy, Index gap, bool add, Real* dweight) {
  const Index row = vectors(d.O) * L, pixel = d.columns.stride * d.x.column, by = d.y.column;
  Vector sum[A][B] = {};
  if (add)
    for (Index a = 0; a < A; ++a)
      for (Index b = 0; b < B; ++b) sum[a][b] = load(dweight + a * row + b * L);
  for (Index i = 0; i < area.rows; ++i) {
    const Real *from = x + i * d.rows.stride * d.x.row, *at = dy + i * d.y.row;
#pragma GCC unroll 2
    for (Index j = 0; j < area.columns; ++j, from += pixel, at += by) {
      Vector factor[B];
      for (Index b = 0; b < B; ++b) {
        factor[b] = load(at + b * gap);
        keep(factor[b]);
      }
      for (Index a = 0; a < A; ++a) {
        const Vector number = broadcast(from[a]);
        for (Index b = 0; b < B; ++b) sum[a][b] += number * factor[b];
      }
    }
  }
  for (Index a = 0; a < A; ++a)
    for (Index b = 0; b < B; ++b) store(dweight + a * row + b * L, sum[a][b]);
}

// All input channels and B vectors of outputs from v on, under one tap.
template <Index B>
void weights_channels(const DirectConvolution& d, const Area& area, Index v, const Real* x,
                      const Real* dy, bool add, Real* dweight) {
  // Eight of a multiple of eight channels never lie in two lines of the cache, which costs a fifth
  // of the time.
  constexpr Index most = registers == 32 ? 8 : pixels_of_tile(B);
  const Index tiles = (d.C + most - 1) / most, first = first_of(v, d.O);
  for (Index tile = 0; tile < tiles; ++tile) {
    const Index c = d.C * tile / tiles, a = d.C * (tile + 1) / tiles - c;
    with_constant<most>(a, [&](auto A) {
      weights_tile<A, B>(d, area, x + c, dy + first, first_of(v + B - 1, d.O) - first, add,
                         dweight + (c * vectors(d.O) + v) * L);
    });
  }
}

// B vectors of outputs from v on, under all taps, from output rows [begin, end) of
// one sample.  These few channels of dy stay in the first cache for all taps.
template <Index B>
void weights_taps(const DirectConvolution& d, Index begin, Index end, Index v, const Real* x,
                  const Real* dy, bool add, Real* dweight) {
  const Index size = d.C * vectors(d.O) * L;
  for (Index r = 0; r < d.rows.taps; ++r) {
    const Stretch rows = outputs_of(d.rows, r, begin, end);
    for (Index s = 0; s < d.columns.taps; ++s, dweight += size) {
      const Stretch columns = outputs_of(d.columns, s, 0, d.columns.out);
      const Area area{rows.end - rows.begin, columns.end - columns.begin};
      const Real* from = x + position(d.rows, rows.begin, r) * d.x.row +
                         position(d.columns, columns.begin, s) * d.x.column;
      weights_channels<B>(d, area, v, from, dy + rows.begin * d.y.row + columns.begin * d.y.column,
                          add, dweight);
    }
  }
}

// As weights_tile, of the three taps of a row of the window, `tap` numbers apart: a number of x is
// read once for all, and one of dy, too, which moves from tap to tap.
template <Index A>
[[gnu::noinline]] void weights_row_tile(const DirectConvolution& d, Index rows, const Real* x,
                                        const Real* dy, Index tap, bool add, Real* dweight) {
  const Index row = vectors(d.O) * L, pixel = d.x.column, last = d.columns.in - 1;
  Vector sum[row_taps][A] = {};
  if (add)
    for (Index t = 0; t < row_taps; ++t)
      for (Index a = 0; a < A; ++a) sum[t][a] = load(dweight + t * tap + a * row);
  for (Index i = 0; i < rows; ++i, x += d.rows.stride * d.x.row, dy += d.y.row) {
    const Real *from = x, *next = dy + d.y.column;
    Vector factor[row_taps] = {load(next), load(dy), Vector{}};
    const auto add_products = [&](Index first, Index end) __attribute__((always_inline)) {
      for (Index a = 0; a < A; ++a) {
        Vector number = broadcast(from[a]);
        keep(number);
        for (Index t = first; t < end; ++t) sum[t][a] += number * factor[t];
      }
      from += pixel;
      next += d.y.column;
      factor[2] = factor[1];
      factor[1] = factor[0];
    };
    add_products(0, 2);
#pragma GCC unroll 3
    for (Index j = 1; j < last; ++j) {
      factor[0] = load(next);
      keep(factor[0]);
      add_products(0, 3);
    }
    add_products(1, 3);
  }
  for (Index t = 0; t < row_taps; ++t)
    for (Index a = 0; a < A; ++a) store(dweight + t * tap + a * row, sum[t][a]);
}

// Vector v of outputs under all taps, from output rows [begin, end) of one sample.
void weights_by_rows(const DirectConvolution& d, Index begin, Index end, Index v, const Real* x,
                     const Real* dy, bool add, Real* dweight) {
  constexpr Index most = registers == 32 ? 8 : 4;
  const Index size = d.C * vectors(d.O) * L, tiles = (d.C + most - 1) / most;
  for (Index r = 0; r < d.rows.taps; ++r, dweight += row_taps * size) {
    const Stretch rows = outputs_of(d.rows, r, begin, end);
    const Real* from = x + position(d.rows, rows.begin, r) * d.x.row;
    const Real* at = dy + rows.begin * d.y.row + first_of(v, d.O);
    for (Index tile = 0; tile < tiles; ++tile) {
      const Index c = d.C * tile / tiles, a = d.C * (tile + 1) / tiles - c;
      with_constant<most>(a, [&](auto A) {
        weights_row_tile<A>(d, rows.end - rows.begin, from + c, at, size, add,
                            dweight + (c * vectors(d.O) + v) * L);
      });
    }
  }
}

void weights_rows(const DirectConvolution& d, Index begin, Index end, const Real* x, const Real* dy,
                  bool add, Real* dweight) {
  const Index all = vectors(d.O), pairs = all / 2 * 2;
  for (Index v = 0; v < pairs; v += 2) weights_taps<2>(d, begin, end, v, x, dy, add, dweight);
  if (all == pairs) return;
  if (whole_rows(d.columns))
    weights_by_rows(d, begin, end, pairs, x, dy, add, dweight);
  else
    weights_taps<1>(d, begin, end, pairs, x, dy, add, dweight);
}

// Four sums at a time: an addition takes longer than a load.
void add_bias(const DirectConvolution& d, const Real* dy, bool add, Real* sums) {
  const Index by = d.y.column;
  for (Index v = 0; v < vectors(d.O); ++v) {
    Vector sum[4] = {};
    if (add) sum[0] = load(sums + v * L);
    for (Index i = 0; i < d.rows.out; ++i) {
      const Real* from = dy + i * d.y.row + first_of(v, d.O);
      Index j = 0;
      for (; j + 4 <= d.columns.out; j += 4)
        for (Index k = 0; k < 4; ++k) sum[k] += load(from + (j + k) * by);
      for (; j < d.columns.out; ++j) sum[0] += load(from + j * by);
    }
    store(sums + v * L, (sum[0] + sum[1]) + (sum[2] + sum[3]));
  }
}

}  // namespace

void direct_backward_weights(const DirectConvolution& d, Index count, const Real* x, const Real* dy,
                             bool add, bool bias, Real* packed) {
  const Index row = d.rows.stride * d.x.row + d.y.row;
  const Index most = at_least(1, resident_weights / row), blocks = (d.rows.out + most - 1) / most;
  const Index step = (d.rows.out + blocks - 1) / at_least(1, blocks);
  for (Index n = 0; n < count; ++n, x += d.x.sample, dy += d.y.sample) {
    if (bias) add_bias(d, dy, add, packed);
    for (Index i = 0; i < d.rows.out; i += step, add = true)
      weights_rows(d, i, at_most(d.rows.out, i + step), x, dy, add, packed + vectors(d.O) * L);
  }
}

void direct_unpack(const DirectConvolution& d, const WeightPitch& pitch, const Real* packed,
                   Real* weight, Real* bias) {
  const Index all = vectors(d.O);
  for (Index v = 0; bias && v < all; ++v)
    for (Index lane = 0; lane < L; ++lane) bias[first_of(v, d.O) + lane] = packed[v * L + lane];
  for (Index r = 0; r < d.rows.taps; ++r)
    for (Index s = 0; s < d.columns.taps; ++s)
      for (Index v = 0; v < all; ++v)
        for (Index lane = 0; lane < L; ++lane) {
          const Real* from = packed + (((r * d.columns.taps + s) * d.C + 1) * all + v) * L + lane;
          Real* to =
              weight + (first_of(v, d.O) + lane) * pitch.output + r * pitch.row + s * pitch.column;
          for (Index i = 0; i < d.C; ++i) to[i * pitch.input] = from[i * all * L];
        }
}

}  // namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS
