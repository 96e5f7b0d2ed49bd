#pragma once

#include "core/isa.hpp"
#include "core/real.hpp"

namespace fraqat {

/// The sizes of one convolution:
///   x[N, H, W, C], weight[O, R, S, C / groups], y[N, P, Q, O],
/// with `top` rows of zeros above x and `left` columns before it; how many follow
/// below and behind is what P and Q need.
/// Plain data: what is compiled for one instruction set must not share inline
/// functions with what is compiled for another.
struct ConvolutionShape {
  Index N, H, W, C, O, R, S, P, Q;
  Index stride, top, left, dilation, groups;
};

/// One axis of a convolution that reads where it stands: output i (of `out`) under
/// tap t is at input origin + i stride + t dilation, which counts if in [0, in).
struct WindowAxis {
  Index in, out, taps, origin, stride, dilation;
};

/// Numbers from one sample, row or column to the next.
struct ImagePitch {
  Index sample, row, column;
};

/// A convolution from C channels at x to O channels at y, which may be some of
/// more (groups), and at some of the pixels.
struct DirectConvolution {
  WindowAxis rows, columns;
  Index C, O;
  ImagePitch x, y;
};

/// Numbers from one weight to the next; negative where a window is turned around.
struct WeightPitch {
  Index output, row, column, input;
};

/// One row of windows of kernel x kernel pixels that touch: Q of them over
/// `kernel` rows of an image [.., W, C], W >= Q kernel.  With relu a result that is
/// not positive becomes 0, which nothing wins.
struct PoolRow {
  Index kernel, W, C, Q;
  bool relu;
};

}  // namespace fraqat

/// The inner loops that are compiled once per instruction set.  They run on one
/// thread, allocate nothing and write nothing but their results and `scratch`,
/// which is at least as long as the function beside them says, uninitialised
/// and 64-byte aligned.  No dilation and no groups.
namespace fraqat::inline FRAQAT_PRECISION::kernels {

/// The codes c = clamp(rne(x / scale), lo, hi) (|lo|, |hi| < 2^20, whole), which
/// stand for scale c, and the weight of this grid among others.  `binary`: c = lo where
/// x / scale < 0, else hi.  `relu`: of max(x, 0) in the place of x; not with binary.
struct Level {
  Real scale, lo, hi, weight;
  bool binary = false, relu = false;
};

/// y = (x - mean) factor + shift: one of each for every of the C channels of a row.
struct ChannelScale {
  Index C;
  const Real *mean, *factor, *shift;
};

struct LevelSums {
  Real value;  // sum dy scale c
  Real slope;  // weight sum dy (c - x / scale where lo <= x / scale <= hi)
  Real zero;   // -weight scale sum dy where x / scale < lo or > hi
};

/// A window of rows x columns pixels of C channels, `pitch` numbers from one row to the
/// next; sums over it are divided by `count`.
struct AverageWindow {
  Index rows, columns, pitch, C;
  Real count;
};

/// A step of an optimizer, which weights of a tensor take alike: the names of optim/.
/// `coupled` decay joins the gradient, `shrink` is what decoupled decay leaves of w.
struct SgdStep {
  Real rate, coupled, shrink, momentum;
  bool nesterov;
};

struct AdamStep {
  Real rate;  // r / (1 - beta1^t)
  Real root;  // 1 / sqrt(1 - beta2^t)
  Real epsilon, beta1, rest1, beta2, rest2;
  Real coupled, shrink;
};

struct RmsPropStep {
  Real rate, decay, alpha, rest, epsilon, momentum;
};

struct AdagradStep {
  Real rate, decay, epsilon;
};

struct LionStep {
  Real rate, shrink, beta1, rest1, beta2, rest2;
};

struct Table {
  /// Samples in lanes: `count` <= lanes consecutive samples (x and y point at the
  /// first) are transposed so that each fills one lane of every vector.
  struct Lanes {
    Index lanes;

    /// Numbers of scratch that forward and backward_weights need.
    Index (*scratch)(const ConvolutionShape& c);

    /// y = x * weight + bias.  weight is [R, S, C, O]; bias may be null.
    void (*forward)(const ConvolutionShape& c, Index count, const Real* x, const Real* weight,
                    const Real* bias, Real* y, Real* scratch);

    /// dweight and dbias = (or, with `add`, +=) this group's gradient.  dweight is [O, R, S, C].
    void (*backward_weights)(const ConvolutionShape& c, Index count, const Real* x, const Real* dy,
                             bool add, Real* dweight, Real* dbias, Real* scratch);
  } lanes;

  /// Output channels in lanes, at least `lanes` of them: `count` consecutive samples.
  struct Direct {
    Index lanes;

    /// Numbers of packed weights and bias.
    Index (*packed)(const DirectConvolution& d);

    /// Packs weights for forward; bias may be null.
    void (*pack)(const DirectConvolution& d, const WeightPitch& pitch, const Real* weight,
                 const Real* bias, Real* packed);

    /// y = x * weight + bias.
    void (*forward)(const DirectConvolution& d, Index count, const Real* x, const Real* packed,
                    Real* y);

    /// packed = (or, with `add`, +=) the gradients to the weights and, with `bias`,
    /// the bias; in an order of its own, as long as `packed` says.
    void (*backward_weights)(const DirectConvolution& d, Index count, const Real* x, const Real* dy,
                             bool add, bool bias, Real* packed);

    /// Writes gradients from that order; bias may be null.
    void (*unpack)(const DirectConvolution& d, const WeightPitch& pitch, const Real* packed,
                   Real* weight, Real* bias);
  } direct;

  /// Max pooling of one row of windows; a NaN wins.
  struct MaxPool {
    /// y[Q, C] from x[kernel, W, C].
    void (*forward)(const PoolRow& row, const Real* x, Real* y);

    /// dx[kernel, W, C]: dy where x is the first of its window to equal y, 0 elsewhere.
    void (*backward)(const PoolRow& row, const Real* x, const Real* y, const Real* dy, Real* dx);
  } max_pool;

  /// Average pooling of one window.
  struct Averages {
    /// y[C] from the window at x.
    void (*forward)(const AverageWindow& window, const Real* x, Real* y);

    /// dx = (or, with `add`, +=) dy[C] / count for every pixel of the window at dx.
    void (*backward)(const AverageWindow& window, bool add, const Real* dy, Real* dx);
  } averages;

  /// A row of n > 0 numbers, for softmax.
  struct Exponentials {
    /// A NaN is never the largest, unless it is the first.
    Real (*largest)(const Real* x, Index n);

    /// y = e^(x - top), x up to top, to 2 units in the last place (0 below the smallest normal
    /// number); y may be x.  Returns the sum.
    Real (*of_row)(const Real* x, Real top, Real* y, Index n);
  } exponentials;

  /// Rows of C channels: batch norm, with what follows it.  With `relu`, a y that
  /// is not positive becomes 0 (a NaN stays one) and passes no gradient.
  struct Channels {
    /// sums += x and, C behind it, x^2.
    void (*moments)(Index C, Index rows, const Real* x, double* sums);

    /// y = scaled x, plus the addend unless it is null.
    void (*forward)(const ChannelScale& scale, Index rows, bool relu, const Real* x,
                    const Real* addend, Real* y);

    /// sums += h and, C behind it, h (x - mean), where h is dy as far as it passes:
    /// by y, unless it is null, and then h is written (it may be dy); else by the
    /// scaled x.
    void (*products)(const ChannelScale& scale, Index rows, bool relu, const Real* x,
                     const Real* dy, const Real* y, Real* h, double* sums);

    /// dx = factor (h - level - slope (x - mean)); it may be dy.
    void (*backward)(const ChannelScale& scale, const Real* level, const Real* slope, Index rows,
                     bool relu, const Real* x, const Real* dy, Real* dx);
  } channels;

  /// Rounding to levels.
  struct Levels {
    /// y = (or, with `add`, +=) weight scale c; exactly scale c for weight 1.
    void (*forward)(const Level& level, bool add, const Real* x, Real* y, Index n);

    /// dx = (or +=) weight dy where lo <= x / scale <= hi (relu: and x > 0), else 0; none if
    /// dx is null.  Without `add` it may be dy.
    void (*backward)(const Level& level, bool add, const Real* x, const Real* dy, Real* dx, Index n,
                     LevelSums& sums);
  } levels;

  /// w, and the optimizer's state, after a step along the gradient g.
  struct Steps {
    /// The momentum m may be null: there is none.
    void (*sgd)(const SgdStep& step, Real* w, Real* m, const Real* g, Index n);

    /// m and v: the means of the gradients and of their squares.
    void (*adam)(const AdamStep& step, Real* w, Real* m, Real* v, const Real* g, Index n);

    /// v, a, m: the mean of squares, that of gradients (or null: not centered), the momentum
    /// (or null: none).
    void (*rmsprop)(const RmsPropStep& step, Real* w, Real* v, Real* a, Real* m, const Real* g,
                    Index n);

    /// v: the sum of squares.
    void (*adagrad)(const AdagradStep& step, Real* w, Real* v, const Real* g, Index n);

    void (*lion)(const LionStep& step, Real* w, Real* m, const Real* g, Index n);
  } steps;
};

/// The table of active_isa().
const Table& active();

/// The table of `isa`, which the processor must support to call what is in it.
const Table& table(Isa isa);

// One per instruction set that is compiled in.
namespace generic {
extern const Table table;
}
namespace avx2 {
extern const Table table;
}
namespace avx512 {
extern const Table table;
}

}  // namespace fraqat::inline FRAQAT_PRECISION::kernels
