#pragma once

#include <optional>
#include <string_view>

#include "core/ops.hpp"
#include "quant/grid.hpp"
#include "quant/level.hpp"

/// The differentiable operators of quantization: quant/ops/NAME.cpp, like core's.
namespace fraqat::inline FRAQAT_PRECISION::op {

struct FakeQuantOptions {
  quant::Coding coding = quant::Coding::natural;
  quant::Widths widths;
  int first = 0, last = 0;        // the candidates [first, last) whose gradient is asked for
  std::string_view tensor = "x";  // its name in errors
  bool relu = false;              // of max(x, 0): the bits are those of relu before it
  // max_pool2d of the result, to the bit unless x has a NaN; where fake_quant_pools(), p >= 0
  std::optional<Pool2dOptions> pool = {};
};

/// Whether fake_quant() of x with one scale for all can pool, too: windows that tile x, and of
/// which a row fits into the cache.
bool fake_quant_pools(const Shape& x, const Shape& scale, const Pool2dOptions& pool);

/// y = sum_j p_j Q_j(x) with Q_j(x) = s_j (clamp(rne(x / s_j) + z_j, lo_j, hi_j) - z_j), one
/// pass over x for all candidate widths j; z_j = rne(zero_j), so that 0 stays a value where
/// lo_j <= zero_j <= hi_j.
///
/// p[J]: weights of the candidates; a one-hot p gives exactly Q_j(x).  Or p[R, J]: each row
/// of x has weights, and so a width, of its own.
/// scale[J, R]: s_j > 0, one for each of R rows of x's first dimension (R = 1: one for all).
/// zero[J, R]: zero-points, whole or not.
Var fake_quant(const Var& x, const Var& p, const Var& scale, const Var& zero,
               const FakeQuantOptions& options);

/// fake_quant(batch_norm(in)), to the bit, in the passes of batch norm: where
/// batch_norm_fake_quant_suits().  A relu, of either's options, is between them.
Var batch_norm_fake_quant(const BatchNormInput& in, const Var& p, const Var& scale, const Var& zero,
                          FakeQuantOptions options);

/// Whether the sums of both over x end together, and one scale is for all of it: up to 2^14
/// numbers, or channels of a power of two and, above 2^19 numbers, a multiple of 2^20 of them.
bool batch_norm_fake_quant_suits(const Shape& x, const Shape& scale);

/// y, a quantized x; in the backward pass x is besides drawn to y, by 2 strength (x - y) where
/// they are at most reach[R] apart (R rows of the first dimension, or 1 for all).
Var dampen(const Var& x, const Var& y, const Tensor& reach, Real strength);

/// One-hot at `index`; its gradient passes straight through to p.  Of p[R, J], each row r
/// at index[r].
Var harden(const Var& p, Index index);
Var harden(const Var& p, const Tensor& index);

/// p[J] with 1 - f and f at the two candidates around bits (one element, clamped to
/// the widths, of which there are two or more), f being the way from the lower to
/// the upper; at a candidate the upper neighbour counts (at the last one the
/// lower), so that the gradient never vanishes by itself.  Of bits[R]: p[R, J].
Var neighbour_weights(const Var& bits, const quant::Widths& widths);

/// The scale s[R] at a real width b (bits[1], or [R], one for each row; put into the bounds of
/// `widths`) between those of the candidates, scale[J, R]: the end of the range is interpolated
/// on a log scale and divided by the number of steps at b.  At a candidate it is that
/// candidate's scale, exactly.
Var level_scale(const Var& bits, const Var& scale, quant::Coding coding,
                const quant::Widths& widths);

/// y = s (clamp(rne(x / s) + z, lo, hi) - z), z = clamp(rne(zero), lo, hi), with the codes of a
/// real width b (bits[1], or [R]): level_grid.  scale and zero are [R], one for each row of x, or
/// [1].
Var level_quant(const Var& x, const Var& scale, const Var& zero, const Var& bits,
                quant::Coding coding);

/// x, with a gradient that is `factor` times as large, element by element.
Var scale_gradient(const Var& x, const Tensor& factor);

/// Sum over j of p_j widths_j: the fractional bit-width, [1]; of p[R, J] that of each row, [R].
Var expected_width(const Var& p, const quant::Widths& widths);

}  // namespace fraqat::inline FRAQAT_PRECISION::op
