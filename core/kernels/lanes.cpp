// Convolution with samples in lanes, for layers of few channels: L samples are
// transposed to [pixel][channel][lane], so that every vector is full whatever
// the number of channels.  See README.md for the picture.

#include "core/kernels/lanes.hpp"

namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS {
namespace {

// How many accumulators a tile may have: the rest of the registers hold operands.
constexpr Index most_accumulators = registers == 32 ? 24 : 12;
constexpr Index most_a = registers == 32 ? 4 : 3, most_b = registers == 32 ? 8 : 6;
constexpr Index resident_lanes = 6144;  // numbers of packed dy that should stay in the first cache

// A product of a rows by b columns is computed in tiles of at most A x B.
struct Tiling {
  Index A, B;
};

// Half cycles per step of a tile: two multiplications, two loads a cycle, and
// more than four cycles until an accumulator can be used again.
Index half_cycles(Index A, Index B) { return at_least(at_least(A * B, A + B), 9); }

Index cost(Index a, Index b, Index A, Index B) {
  const Index rest_a = a % A, rest_b = b % B;
  Index sum = (a / A) * (b / B) * half_cycles(A, B);
  if (rest_a) sum += (b / B) * half_cycles(rest_a, B);
  if (rest_b) sum += (a / A) * half_cycles(A, rest_b);
  if (rest_a && rest_b) sum += half_cycles(rest_a, rest_b);
  return sum;
}

Tiling cheapest(Index a, Index b) {
  Tiling best{1, 1};
  for (Index A = 1; A <= most_a; ++A)
    for (Index B = 1; B <= most_b; ++B)
      if (A * B <= most_accumulators && cost(a, b, A, B) < cost(a, b, best.A, best.B))
        best = {A, B};
  return best;
}

// Calls f with A and B as compile-time constants.
template <Index A = 1, Index B = 1, class F>
[[gnu::always_inline]] inline void with_sizes(Index a, Index b, const F& f) {
  if constexpr (A < most_a) {
    if (a > A) return with_sizes<A + 1, B>(a, b, f);
  }
  if constexpr (B < most_b && A * (B + 1) <= most_accumulators) {
    if (b > B) return with_sizes<A, B + 1>(a, b, f);
  }
  f(std::integral_constant<Index, A>(), std::integral_constant<Index, B>());
}

struct Geometry {
  explicit Geometry(const ConvolutionShape& c)
      : c(c),
        width(at_least(c.left + c.W, (c.Q - 1) * c.stride + c.S)),
        row(width * c.C * L),
        image(c.H * row),
        run(c.S * c.C),
        weights(c.R * run * c.O * L),
        columns(at_most(c.Q, at_least(1, resident_lanes / (c.O * L)))),
        rows(at_most(c.P, at_least(1, resident_lanes / (columns * c.O * L)))) {}

  // The rows r of the window that lie in the image, for output row p.
  Index first_row(Index p) const { return at_least(0, c.top - p * c.stride); }
  Index last_row(Index p) const { return at_most(c.R, c.H + c.top - p * c.stride); }

  const ConvolutionShape& c;
  Index width, row, image;  // packed x: zeros left and right, none above and below
  Index run;                // numbers of a window's row
  Index weights;            // packed dweight[R, S, C, O]
  Index columns, rows;      // of dy that are packed at a time; one row if not all columns
};

void pack_image(const Geometry& g, Index count, const Real* x, Real* packed) {
  const Index size = g.c.W * g.c.C, left = g.c.left * g.c.C * L;
  const Index right = g.row - left - size * L;
  for (Index h = 0; h < g.c.H; ++h, packed += g.row) {
    clear(packed, left);
    pack(count, x + h * size, g.c.H * size, size, packed + left);
    clear(packed + g.row - right, right);
  }
}

// y for A pixels and B channels: sums over window rows and over [begin, end) of
// their numbers.
template <Index A, Index B>
void forward_tile(const Geometry& g, Index rows, Index begin, Index end, const Real* x,
                  const Real* weight, const Real* bias, Real* y) {
  Vector sum[A][B];
  for (Index b = 0; b < B; ++b)
    for (Index a = 0; a < A; ++a) sum[a][b] = broadcast(bias ? bias[b] : 0);
  const Index pixel = g.c.stride * g.c.C * L, O = g.c.O;
  for (Index r = 0; r < rows; ++r, x += g.row, weight += g.run * O) {
    const Real* w = weight + begin * O;
    const Real* from = x + begin * L;
    for (Index k = begin; k < end; ++k, w += O, from += L) {
      Vector pixels[A];
      for (Index a = 0; a < A; ++a) pixels[a] = load(from + a * pixel);
      for (Index b = 0; b < B; ++b) {
        const Vector factor = broadcast(w[b]);
        for (Index a = 0; a < A; ++a) sum[a][b] += pixels[a] * factor;
      }
    }
  }
  for (Index a = 0; a < A; ++a)
    for (Index b = 0; b < B; ++b) store(y + (a * O + b) * L, sum[a][b]);
}

void forward_row(const Geometry& g, const Tiling& tiling, Index p, const Real* x,
                 const Real* weight, const Real* bias, Real* y) {
  const ConvolutionShape& c = g.c;
  const Index first = g.first_row(p), rows = g.last_row(p) - first;
  x += (p * c.stride - c.top + first) * g.row;
  weight += first * g.run * c.O;
  for (Index q = 0; q < c.Q; q += tiling.A) {
    const Index a = at_most(tiling.A, c.Q - q);
    // What only meets the zeros left and right of the image is left out.
    const Index begin = at_least(0, c.left - (q + a - 1) * c.stride) * c.C;
    const Index end = at_most(c.S, c.W + c.left - q * c.stride) * c.C;
    for (Index o = 0; o < c.O; o += tiling.B)
      with_sizes(a, at_most(tiling.B, c.O - o), [&](auto A, auto B) {
        forward_tile<A, B>(g, rows, begin, end, x + q * c.stride * c.C * L, weight + o,
                           bias ? bias + o : nullptr, y + (q * c.O + o) * L);
      });
  }
}

}  // namespace

// Room for packed x, packed dweight, and packed rows of y or dy.
Index lanes_scratch(const ConvolutionShape& c) {
  const Geometry g(c);
  return g.image + g.weights + at_least(c.Q, g.columns * g.rows) * c.O * L + c.O * L;
}

void lanes_forward(const ConvolutionShape& c, Index count, const Real* x, const Real* weight,
                   const Real* bias, Real* y, Real* scratch) {
  const Geometry g(c);
  const Tiling tiling = cheapest(c.Q, c.O);
  Real* packed_y = scratch + g.image;
  pack_image(g, count, x, scratch);
  for (Index p = 0; p < c.P; ++p) {
    forward_row(g, tiling, p, scratch, weight, bias, packed_y);
    unpack(count, packed_y, c.Q * c.O, y + p * c.Q * c.O, c.P * c.Q * c.O);
  }
}

namespace {

// Output pixels: rows [p, p_end), columns [q, q_end).
struct LaneBlock {
  Index p, p_end, q, q_end;
  Index pixels() const { return (p_end - p) * (q_end - q); }
};

// dweight of A numbers of a window's row and B channels, over rows x columns
// output pixels, with x at the first input and dy at the first output.
template <Index A, Index B>
void weights_tile(const Geometry& g, Index rows, Index columns, const Real* x, const Real* dy,
                  Real* dweight) {
  const Index O = g.c.O, pixel = g.c.stride * g.c.C * L;
  Vector sum[A][B];
  for (Index a = 0; a < A; ++a)
    for (Index b = 0; b < B; ++b) sum[a][b] = load(dweight + (a * O + b) * L);
  for (Index p = 0; p < rows; ++p, x += g.c.stride * g.row) {
    const Real* from = x;
    for (Index q = 0; q < columns; ++q, from += pixel, dy += O * L) {
      Vector numbers[A];
      for (Index a = 0; a < A; ++a) numbers[a] = load(from + a * L);
      for (Index b = 0; b < B; ++b) {
        Vector factor = load(dy + b * L);
        keep(factor);
        for (Index a = 0; a < A; ++a) sum[a][b] += numbers[a] * factor;
      }
    }
  }
  for (Index a = 0; a < A; ++a)
    for (Index b = 0; b < B; ++b) store(dweight + (a * O + b) * L, sum[a][b]);
}

// Adds the gradient from one block, packed in dy, to the packed dweight.
void add_block(const Geometry& g, const Tiling& tiling, const LaneBlock& block, const Real* x,
               const Real* dy, Real* dweight) {
  const ConvolutionShape& c = g.c;
  const Index columns = block.q_end - block.q;
  for (Index r = 0; r < c.R; ++r, dweight += g.run * c.O * L) {
    Index p = block.p, end = block.p_end;
    while (p < end && p * c.stride - c.top + r < 0) ++p;
    while (end > p && (end - 1) * c.stride - c.top + r >= c.H) --end;
    if (p == end) continue;
    const Real* row = x + (p * c.stride - c.top + r) * g.row + block.q * c.stride * c.C * L;
    const Real* from = dy + (p - block.p) * columns * c.O * L;
    for (Index o = 0; o < c.O; o += tiling.B)
      for (Index k = 0; k < g.run; k += tiling.A)
        with_sizes(at_most(tiling.A, g.run - k), at_most(tiling.B, c.O - o), [&](auto A, auto B) {
          weights_tile<A, B>(g, end - p, columns, row + k * L, from + o * L,
                             dweight + (k * c.O + o) * L);
        });
  }
}

void add_bias(const ConvolutionShape& c, Index pixels, const Real* dy, Real* sums) {
  for (Index o = 0; o < c.O; ++o) {
    Vector sum = load(sums + o * L);
    for (Index q = 0; q < pixels; ++q) sum += load(dy + (q * c.O + o) * L);
    store(sums + o * L, sum);
  }
}

}  // namespace

void lanes_backward_weights(const ConvolutionShape& c, Index count, const Real* x, const Real* dy,
                            bool add, Real* dweight, Real* dbias, Real* scratch) {
  const Geometry g(c);
  const Tiling tiling = cheapest(g.run, c.O);
  Real* sums = scratch + g.image;
  Real* bias_sums = sums + g.weights;
  Real* packed_dy = bias_sums + c.O * L;
  pack_image(g, count, x, scratch);
  clear(sums, g.weights + c.O * L);
  for (Index p = 0; p < c.P; p += g.rows)
    for (Index q = 0; q < c.Q; q += g.columns) {
      const LaneBlock block{p, at_most(p + g.rows, c.P), q, at_most(q + g.columns, c.Q)};
      pack(count, dy + (p * c.Q + q) * c.O, c.P * c.Q * c.O, block.pixels() * c.O, packed_dy);
      add_block(g, tiling, block, scratch, packed_dy, sums);
      add_bias(c, block.pixels(), packed_dy, bias_sums);
    }
  for (Index k = 0; k < c.R * g.run; ++k)
    write_lane_sums(sums + k * c.O * L, c.O, add, dweight + k, c.R * g.run);
  write_lane_sums(bias_sums, c.O, add, dbias, 1);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS
