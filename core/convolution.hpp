#pragma once

#include <algorithm>

#include "core/tensor.hpp"

namespace fraqat {

/// The sizes of one convolution, in the letters used below:
///   x[N, H, W, C], weight[O, R, S, C / groups], y[N, P, Q, O].
struct ConvolutionShape {
  Index N, H, W, C, O, R, S, P, Q;
  Index stride, padding, dilation, groups;

  Index group_inputs() const { return C / groups; }
  Index group_outputs() const { return O / groups; }
  Index patch() const { return R * S * group_inputs(); }  // numbers under one window
  Index weights() const { return O * patch(); }
  Index inputs() const { return H * W * C; }  // of one sample
  Index outputs() const { return P * Q * O; }
};

/// A batch cut into at most `most` runs of samples: depends on N only.
struct SampleChunks {
  static constexpr Index most = 32;

  explicit SampleChunks(Index samples)
      : samples(samples),
        each((samples + most - 1) / most),
        count(each > 0 ? (samples + each - 1) / each : 0) {}

  Index begin(Index i) const { return i * each; }
  Index end(Index i) const { return std::min(samples, (i + 1) * each); }

  Index samples, each, count;
};

}  // namespace fraqat

/// Convolution as a matrix product: patches become rows ("im2col"), a few image
/// rows at a time so that they stay in cache.  Any shape; the reference for
/// every other kernel.
namespace fraqat::inline FRAQAT_PRECISION::im2col {

/// y = x * weight + bias; bias may be null.
void forward(const ConvolutionShape& c, const Real* x, const Real* weight, const Real* bias,
             Real* y);

/// dx from dy.
void backward_data(const ConvolutionShape& c, const Real* dy, const Real* weight, Real* dx);

/// dweight, and dbias unless it is null, from x and dy.
void backward_weights(const ConvolutionShape& c, const Real* x, const Real* dy, Real* dweight,
                      Real* dbias);

}  // namespace fraqat::inline FRAQAT_PRECISION::im2col

namespace fraqat::inline FRAQAT_PRECISION {

/// parts[0] += parts[1] + ... + parts[count - 1], each `size` numbers long, in a
/// pairwise tree by index: the same bits for any number of threads.
void join_parts(Real* parts, Index count, Index size);

}  // namespace fraqat::inline FRAQAT_PRECISION
