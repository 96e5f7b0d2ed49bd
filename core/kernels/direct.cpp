// Convolution with output channels in lanes, straight from the image: nothing is
// gathered, padded or transposed but the weights.  See README.md for the picture.

#include "core/kernels/direct.hpp"

namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS {
namespace {

// The products of one tile: `rows` rows of the window, each of `pieces` runs of
// numbers that are neighbours in x, and all of them neighbours in the weights.
struct Taps {
  Index rows, pieces, run;
  Index x_row, x_piece;  // from one to the next in x
  Index weight_row;      // in vectors of one output
  Index first_weight;
};

Taps taps_of(const DirectConvolution& d, const Block& block) {
  const Taps each{block.tap_rows(),
                  block.tap_columns(),
                  d.C,
                  d.rows.dilation * d.x.row,
                  d.columns.dilation * d.x.column,
                  d.columns.taps * d.C,
                  (block.rows.tap * d.columns.taps + block.columns.tap) * d.C};
  if (d.columns.dilation != 1 || d.x.column != d.C) return each;
  Taps joined = each;
  joined.run = each.pieces * d.C;
  joined.pieces = at_most(each.pieces, 1);
  return joined;
}

// Where the pixels of a tile begin in x, and in y.
struct Pixels {
  Index x[most_pixels], y[most_pixels];
};

// y of A pixels and B vectors of channels.
template <Index A, Index B>
void forward_tile(const Taps& taps, const Pixels& pixels, const Real* x, const Real* weight,
                  const Real* bias, Real* const (&y)[B]) {
  Vector sum[A][B];
  const Real* from[A];
  for (Index a = 0; a < A; ++a) from[a] = x + pixels.x[a];
  for (Index a = 0; a < A; ++a)
    for (Index b = 0; b < B; ++b) sum[a][b] = load(bias + b * L);
  weight += taps.first_weight * B * L;
  for (Index r = 0; r < taps.rows; ++r, weight += taps.weight_row * B * L) {
    const Real* w = weight;
    for (Index piece = 0; piece < taps.pieces; ++piece) {
      const Index begin = r * taps.x_row + piece * taps.x_piece, end = begin + taps.run;
#pragma GCC unroll 4
      for (Index k = begin; k < end; ++k, w += B * L) {
        Vector factor[B];
        for (Index b = 0; b < B; ++b) {
          factor[b] = load(w + b * L);
          keep(factor[b]);
        }
        for (Index a = 0; a < A; ++a) {
          const Vector number = broadcast(from[a][k]);
          for (Index b = 0; b < B; ++b) sum[a][b] += number * factor[b];
        }
      }
    }
  }
  for (Index a = 0; a < A; ++a)
    for (Index b = 0; b < B; ++b) store(y[b] + pixels.y[a], sum[a][b]);
}

// The pixels of a block, of one sample after the other.
class Walk {
 public:
  Walk(const DirectConvolution& d, const Block& block) : d_(d), block_(block) { begin_row(); }

  Pixels next(Index count) {
    Pixels pixels;
    for (Index a = 0; a < count; ++a) {
      pixels.x[a] = x_;
      pixels.y[a] = y_;
      x_ += d_.columns.stride * d_.x.column;
      y_ += d_.y.column;
      if (++column_ == block_.columns.end) end_row();
    }
    return pixels;
  }

 private:
  void end_row() {
    if (++row_ == block_.rows.end) {
      row_ = block_.rows.begin;
      ++sample_;
    }
    begin_row();
  }

  void begin_row() {
    column_ = block_.columns.begin;
    x_ = sample_ * d_.x.sample + position(d_.rows, row_, block_.rows.tap) * d_.x.row +
         position(d_.columns, column_, block_.columns.tap) * d_.x.column;
    y_ = sample_ * d_.y.sample + row_ * d_.y.row + column_ * d_.y.column;
  }

  const DirectConvolution& d_;
  const Block& block_;
  Index sample_ = 0, row_ = block_.rows.begin, column_ = 0, x_ = 0, y_ = 0;
};

// Vectors [v, end) of channels, B at a time, of all pixels of a block.
template <Index B>
void forward_block(const DirectConvolution& d, Index count, const Block& block, Index v, Index end,
                   const Real* x, const Real* packed, Real* y) {
  constexpr Index most = pixels_of_tile(B);
  const Index total = count * block.pixels(), tiles = (total + most - 1) / most;
  const Taps taps = taps_of(d, block);
  const Index weights = d.rows.taps * d.columns.taps * d.C;
  Walk walk(d, block);
  for (Index tile = 0, done = 0; tile < tiles; ++tile) {
    const Index a = total * (tile + 1) / tiles - done;
    const Pixels pixels = walk.next(a);
    for (Index u = v; u < end; u += B) {
      Real* to[B];
      for (Index b = 0; b < B; ++b) to[b] = y + first_of(u + b, d.O);
      with_constant<most>(a, [&](auto A) {
        forward_tile<A, B>(taps, pixels, x, packed + (vectors(d.O) + u * weights) * L,
                           packed + u * L, to);
      });
    }
    done += a;
  }
}

// Sums that stay in registers beside the weights of three taps and a number of x: 12 of 16; of 32
// as many as make two tiles of 32 pixels.
constexpr Index pixels_of_row = registers == 32 ? 16 : 12;

// Neighbours in a row of y, whether one is the first or the last of the row, and what they see.
struct RowOfPixels {
  const Real* x;  // under the second of three taps
  Real* y;
  bool first, last;
};

// y of A pixels of a row, one vector of channels, from L channels.  A number of x is read once for
// three products.  One read for each is more than the first cache gives: pixels are a line of it
// apart, and numbers at the same place of two lines come from the same bank.
template <Index A>
void row_tile(const DirectConvolution& d, const Stretch& rows, const RowOfPixels& pixels,
              const Real* weight, const Real* bias) {
  Vector sum[A];
  for (Index a = 0; a < A; ++a) sum[a] = load(bias);
  const Real* x = pixels.x;
  for (Index r = rows.tap; r < rows.tap_end; ++r, x += d.rows.dilation * d.x.row)
    for (Index k = 0; k < L; ++k) {
      Vector factor[row_taps];
      for (Index t = 0; t < row_taps; ++t) {
        factor[t] = load(weight + ((r * row_taps + t) * L + k) * L);
        keep(factor[t]);
      }
      if (!pixels.first) sum[0] += broadcast(x[k - L]) * factor[0];
#pragma GCC unroll 16
      for (Index i = 0; i < A; ++i) {
        Vector number = broadcast(x[i * L + k]);
        keep(number);
        for (Index t = 0; t < row_taps; ++t)
          if (i + 1 >= t && i + 1 - t < A) sum[i + 1 - t] += number * factor[t];
      }
      if (!pixels.last) sum[A - 1] += broadcast(x[A * L + k]) * factor[2];
    }
  for (Index a = 0; a < A; ++a) store(pixels.y + a * d.y.column, sum[a]);
}

// Vector v of channels of whole rows of y, under which just the taps of `rows` are.
void forward_rows(const DirectConvolution& d, Index count, const Stretch& rows, Index v,
                  const Real* x, const Real* packed, Real* y) {
  const Index columns = d.columns.out, tiles = (columns + pixels_of_row - 1) / pixels_of_row;
  const Real* weight = packed + (vectors(d.O) + v * d.rows.taps * row_taps * L) * L;
  for (Index n = 0; n < count; ++n)
    for (Index i = rows.begin; i < rows.end; ++i) {
      const Real* from = x + n * d.x.sample + position(d.rows, i, rows.tap) * d.x.row;
      Real* to = y + n * d.y.sample + i * d.y.row + first_of(v, d.O);
      for (Index tile = 0, done = 0; tile < tiles; ++tile) {
        const Index a = columns * (tile + 1) / tiles - done;
        const RowOfPixels pixels{from + done * L, to + done * d.y.column, tile == 0,
                                 tile == tiles - 1};
        with_constant<pixels_of_row>(
            a, [&](auto A) { row_tile<A>(d, rows, pixels, weight, packed + v * L); });
        done += a;
      }
    }
}

}  // namespace

Index direct_packed(const DirectConvolution& d) {
  return vectors(d.O) * L * (1 + d.rows.taps * d.columns.taps * d.C);
}

// Bias, then for every B vectors of channels the weights [R, S, C, B].
void direct_pack(const DirectConvolution& d, const WeightPitch& pitch, const Real* weight,
                 const Real* bias, Real* packed) {
  const Index all = vectors(d.O);
  for (Index v = 0; v < all; ++v)
    for (Index lane = 0; lane < L; ++lane)
      packed[v * L + lane] = bias ? bias[first_of(v, d.O) + lane] : 0;
  Real* to = packed + all * L;
  for (Index v = 0; v < all; v += 2)
    for (Index r = 0; r < d.rows.taps; ++r)
      for (Index s = 0; s < d.columns.taps; ++s)
        for (Index i = 0; i < d.C; ++i) {
          const Real* from = weight + r * pitch.row + s * pitch.column + i * pitch.input;
          for (Index u = v; u < at_most(v + 2, all); ++u, to += L)
            for (Index lane = 0; lane < L; ++lane)
              to[lane] = from[(first_of(u, d.O) + lane) * pitch.output];
        }
}

void direct_forward(const DirectConvolution& d, Index count, const Real* x, const Real* packed,
                    Real* y) {
  const Index all = vectors(d.O), pairs = all / 2 * 2;
  const bool by_rows = whole_rows(d.columns) && d.C == L && d.x.column == L;
  each_block(d, [&](const Block& block) {
    if (pairs) forward_block<2>(d, count, block, 0, pairs, x, packed, y);
    if (all > pairs && !by_rows) forward_block<1>(d, count, block, pairs, all, x, packed, y);
  });
  if (all == pairs || !by_rows) return;
  each_stretch(d.rows,
               [&](const Stretch& rows) { forward_rows(d, count, rows, pairs, x, packed, y); });
}

}  // namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS
