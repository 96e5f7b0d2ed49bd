#pragma once

#include <array>

#include "core/autograd.hpp"
#include "core/axes.hpp"
#include "core/random.hpp"

/// The table of contents: every differentiable operator, one line each.  The
/// formula, its gradient and the code stand in core/ops/NAME.cpp, the proof in
/// tests/ops/NAME_test.cpp.  Images are [N, H, W, C], weights [O, H, W, I].  What
/// does not fit is an Error that begins with [NAME] and shows the shapes.
namespace fraqat::inline FRAQAT_PRECISION::op {

// --- element by element -----------------------------------------------------

/// Two operands are stretched to one shape: aligned at the end, extents are equal
/// or 1.  Where equal, maximum and minimum give each operand half of the gradient.
Var add(const Var& a, const Var& b);
Var sub(const Var& a, const Var& b);
Var mul(const Var& a, const Var& b);
Var div(const Var& a, const Var& b);
Var maximum(const Var& a, const Var& b);
Var minimum(const Var& a, const Var& b);

/// x^exponent; a negative x gives NaN unless the exponent is whole.
Var pow(const Var& x, Real exponent);
Var pow(const Var& x, const Var& exponent);

/// a where the condition is not 0, else b; all three are stretched.
Var where(const Tensor& condition, const Var& a, const Var& b);

Var neg(const Var& x);
Var exp(const Var& x);
Var log(const Var& x);
Var sqrt(const Var& x);
Var abs(const Var& x);

/// min(max(x, low), high).
Var clip(const Var& x, Real low, Real high);

// --- activations, element by element ------------------------------------------

Var relu(const Var& x);
Var relu6(const Var& x);
Var leaky_relu(const Var& x, Real slope = Real(0.01));
Var sigmoid(const Var& x);
Var tanh(const Var& x);

/// x sigmoid(x), and x relu6(x + 3) / 6.
Var silu(const Var& x);
Var hardswish(const Var& x);

/// x times the normal distribution function, exactly or made of tanh.
enum class GeluForm { erf, tanh };
Var gelu(const Var& x, GeluForm form = GeluForm::erf);

/// log(1 + e^(beta x)) / beta; x itself where beta x is above the threshold.
Var softplus(const Var& x, Real beta = 1, Real threshold = 20);

/// Zero with probability p, else x / (1 - p); identity outside a TrainingStep.
Var dropout(const Var& x, Real p);

// --- shape --------------------------------------------------------------------

/// The same numbers under another shape; one extent may be -1.
Var reshape(const Var& x, std::array<Index, Shape::max_rank> dims, int rank);
Var reshape(const Var& x, std::initializer_list<Index> dims);

/// [N, ...] to [N, everything else].
Var flatten(const Var& x);

/// Zeros before and after the last dimension (the channels).
Var pad_channels(const Var& x, Index before, Index after);

// --- reductions ---------------------------------------------------------------

/// Over `axes`, or all: these dimensions vanish, or with keepdim become 1.  Equal
/// largest elements share the gradient of max.
Var sum(const Var& x, const Axes& axes = {}, bool keepdim = false);
Var mean(const Var& x, const Axes& axes = {}, bool keepdim = false);
Var max(const Var& x, const Axes& axes = {}, bool keepdim = false);

struct VarianceOptions {
  bool unbiased = true;  // divides by one less than the number of elements
  bool keepdim = false;
};

Var var(const Var& x, const Axes& axes = {}, const VarianceOptions& = {});

// --- products -----------------------------------------------------------------

/// a[m, k] b[k, n].
Var matmul(const Var& a, const Var& b);

/// x[n, in] weight[out, in]^T + bias[out]; bias may be none.
Var linear(const Var& x, const Var& weight, const Var& bias = {});

/// Rows and columns of zeros around an image; one number stands for all sides.
struct Padding {
  constexpr Padding(Index all) : Padding(all, all, all, all) {}
  constexpr Padding(Index top, Index bottom, Index left, Index right)
      : top(top), bottom(bottom), left(left), right(right) {}

  constexpr Index rows() const { return top + bottom; }
  constexpr Index columns() const { return left + right; }
  constexpr bool operator==(const Padding&) const = default;

  Index top, bottom, left, right;
};

/// "2", or "(1, 2, 0, 3)" where the sides differ.
std::ostream& operator<<(std::ostream& out, const Padding& padding);

struct Conv2dOptions {
  Index stride = 1;
  Padding padding = 0;
  Index dilation = 1, groups = 1;
};

/// x[N, H, W, C], weight[O, R, S, C / groups], bias[O] or none, giving
/// [N, (H + top + bottom - dilation (R - 1) - 1) / stride + 1, ..., O].
Var conv2d(const Var& x, const Var& weight, const Var& bias = {}, const Conv2dOptions& = {});

// --- pooling ------------------------------------------------------------------

struct Pool2dOptions {
  Index kernel = 2, stride = 2, padding = 0;
};

/// Largest or average element of each window of x[N, H, W, C].  Padding never
/// wins a maximum and counts as zeros in an average.
Var max_pool2d(const Var& x, const Pool2dOptions& = {});
Var avg_pool2d(const Var& x, const Pool2dOptions& = {});

/// [N, H, W, C] to [N, C].
Var global_avg_pool(const Var& x);

// --- normalisation and losses -------------------------------------------------

/// The running statistics of a batch_norm, per channel: shape [C].
struct BatchNormState {
  Tensor mean, variance;
};

struct BatchNormOptions {
  Real epsilon = Real(1e-5);
  Real momentum = Real(0.1);  // weight of the newest batch in the running statistics
  bool batch_statistics = false;
};

/// gamma (x - mean) / sqrt(variance + epsilon) + beta over all but the last
/// dimension; with batch_statistics mean and (biased) variance are the batch's
/// and `state` is updated (unbiased variance), else they are the state's.
Var batch_norm(const Var& x, const Var& gamma, const Var& beta, BatchNormState& state,
               const BatchNormOptions& = {});

/// Softmax over the last dimension.
Var softmax(const Var& x);

/// Mean over n of the cross-entropy between softmax(logits[n, :]) and the label
/// labels[n] (a whole number in [0, classes)), mixed with `smoothing` of the
/// uniform distribution.
Var softmax_cross_entropy(const Var& logits, const Tensor& labels, Real smoothing = 0);

}  // namespace fraqat::inline FRAQAT_PRECISION::op
