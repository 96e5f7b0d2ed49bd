#pragma once

#include <algorithm>

#include "core/kernels/kernels.hpp"
#include "core/tensor.hpp"

namespace fraqat {

/// ConvolutionShape, and the sizes that follow from it.
struct Convolution : ConvolutionShape {
  Index group_inputs() const { return C / groups; }
  Index group_outputs() const { return O / groups; }
  Index patch() const { return R * S * group_inputs(); }  // numbers under one window
  Index weights() const { return O * patch(); }
  Index inputs() const { return H * W * C; }  // of one sample
  Index outputs() const { return P * Q * O; }
};

/// A batch cut into at most 32 runs of samples, whole multiples of `lanes` but
/// for the last: depends on these two numbers only.
struct SampleChunks {
  explicit SampleChunks(Index samples, Index lanes = 1)
      : samples(samples),
        each((samples + 32 * lanes - 1) / (32 * lanes) * lanes),
        count(each > 0 ? (samples + each - 1) / each : 0) {}

  Index begin(Index i) const { return i * each; }
  Index end(Index i) const { return std::min(samples, (i + 1) * each); }

  Index samples, each, count;
};

}  // namespace fraqat

namespace fraqat::inline FRAQAT_PRECISION {

/// What becomes of the sums of a convolution while they are in the cache: batch norm
/// with given statistics, plus the addend (as large as y, or null), rectified if so
/// said.  Nothing where the scale is of no channels.
struct Finish {
  kernels::ChannelScale scale = {};
  bool relu = false;
  const Real* addend = nullptr;

  explicit operator bool() const { return scale.C > 0; }

  /// Does it to `count` numbers of y from `at` on: whole rows of channels.
  void operator()(Index at, Index count, Real* y) const;
};

}  // namespace fraqat::inline FRAQAT_PRECISION

/// Each of the three by the fastest way that is right; the ways follow.
namespace fraqat::inline FRAQAT_PRECISION::convolution {

/// y = x * weight + bias, and finished if so said; bias may be null.
void forward(const Convolution& c, const Real* x, const Real* weight, const Real* bias, Real* y);
void forward(const Convolution& c, const Real* x, const Real* weight, const Real* bias, Real* y,
             const Finish& finish);

/// dx from dy.
void backward_data(const Convolution& c, const Real* dy, const Real* weight, Real* dx);

/// dweight and dbias from x and dy; dbias may be null.
void backward_weights(const Convolution& c, const Real* x, const Real* dy, Real* dweight,
                      Real* dbias);

}  // namespace fraqat::inline FRAQAT_PRECISION::convolution

/// Convolution as a matrix product: patches become rows ("im2col"), a few image
/// rows at a time so that they stay in cache.  Any shape; the reference for
/// every other kernel.
namespace fraqat::inline FRAQAT_PRECISION::im2col {

void forward(const Convolution& c, const Real* x, const Real* weight, const Real* bias, Real* y);
void backward_data(const Convolution& c, const Real* dy, const Real* weight, Real* dx);
void backward_weights(const Convolution& c, const Real* x, const Real* dy, Real* dweight,
                      Real* dbias);

}  // namespace fraqat::inline FRAQAT_PRECISION::im2col

/// Convolution with samples in the lanes of vectors (core/kernels/README.md), for
/// batches that fill the lanes.  The same functions; no dilation, no groups.
namespace fraqat::inline FRAQAT_PRECISION::lanes {

/// True where it is right.
bool suits_forward(const Convolution& c);
bool suits_backward_data(const Convolution& c);
bool suits_backward_weights(const Convolution& c);

void forward(const Convolution& c, const Real* x, const Real* weight, const Real* bias, Real* y);
void backward_data(const Convolution& c, const Real* dy, const Real* weight, Real* dx);
void backward_weights(const Convolution& c, const Real* x, const Real* dy, Real* dweight,
                      Real* dbias);

}  // namespace fraqat::inline FRAQAT_PRECISION::lanes

/// Convolution with one channel in and one out per group: channels in the lanes.
/// The same functions.
namespace fraqat::inline FRAQAT_PRECISION::depthwise {

/// True where it is right, and then the fastest way.
bool suits(const Convolution& c);

void forward(const Convolution& c, const Real* x, const Real* weight, const Real* bias, Real* y);
void backward_data(const Convolution& c, const Real* dy, const Real* weight, Real* dx);
void backward_weights(const Convolution& c, const Real* x, const Real* dy, Real* dweight,
                      Real* dbias);

}  // namespace fraqat::inline FRAQAT_PRECISION::depthwise

/// Convolution with output channels in lanes (core/kernels/README.md), for layers
/// that have enough of them.  The same functions.
namespace fraqat::inline FRAQAT_PRECISION::direct {

/// True where it is right.
bool suits_forward(const Convolution& c);
bool suits_backward_data(const Convolution& c);
bool suits_backward_weights(const Convolution& c);

void forward(const Convolution& c, const Real* x, const Real* weight, const Real* bias, Real* y);
void forward(const Convolution& c, const Real* x, const Real* weight, const Real* bias, Real* y,
             const Finish& finish);
void backward_data(const Convolution& c, const Real* dy, const Real* weight, Real* dx);
void backward_weights(const Convolution& c, const Real* x, const Real* dy, Real* dweight,
                      Real* dbias);

}  // namespace fraqat::inline FRAQAT_PRECISION::direct

namespace fraqat::inline FRAQAT_PRECISION {

/// parts[0] += parts[1] + ... + parts[count - 1], each `size` numbers long, in a
/// pairwise tree by index: the same bits for any number of threads.
void join_parts(Real* parts, Index count, Index size);

}  // namespace fraqat::inline FRAQAT_PRECISION
