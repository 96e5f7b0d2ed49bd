#pragma once

#include <array>
#include <string_view>

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

/// Dimension d of the result is dimension axes[d] of x.
Var permute(const Var& x, std::span<const int> axes);
Var permute(const Var& x, std::initializer_list<int> axes);

/// permute with two dimensions exchanged.
Var transpose(const Var& x, int first = -2, int second = -1);

/// The inputs one after the other along `axis`.
Var concat(std::span<const Var> inputs, int axis);
Var concat(std::initializer_list<Var> inputs, int axis);

/// The positions begin .. end - 1 along `axis`; split: equal parts, in order.
Var slice(const Var& x, int axis, Index begin, Index end);
Vars split(const Var& x, Index parts, int axis);

/// `value` before and after each dimension.
struct Ends {
  Index before = 0, after = 0;
};
Var pad(const Var& x, std::span<const Ends> ends, Real value = 0);
Var pad(const Var& x, std::initializer_list<Ends> ends, Real value = 0);

/// The positions `indices` (whole numbers, any shape) along `axis` of x: the
/// dimensions of `indices` take the place of that one.
Var gather(const Var& x, const Tensor& indices, int axis = 0);

/// table[rows, width] gathered along axis 0.
Var embedding(const Var& table, const Tensor& indices);

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

struct MatmulOptions {
  bool transpose_a = false, transpose_b = false;
};

/// a[..., m, k] b[..., k, n]; transposed operands are a[..., k, m], b[..., n, k].
/// What stands before is the batch; an operand repeats where it has 1 or nothing.
Var matmul(const Var& a, const Var& b, const MatmulOptions& = {});

/// x[n, in] weight[out, in]^T + bias[out]; bias may be none.
Var linear(const Var& x, const Var& weight, const Var& bias = {});

/// The largest stride, dilation, padding of a convolution and kernel of a pool: its
/// product with any extent is an Index.
inline constexpr Index max_window = 1 << 16;

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

/// The shape that conv2d gives; an Error where it would give one.
Shape conv2d_shape(const Shape& x, const Shape& weight, const Conv2dOptions& = {});

struct ConvTranspose2dOptions {
  Index stride = 1;
  Padding padding = 0;       // what is cut off from each side of the result
  Index output_padding = 0;  // what is added below and to the right
  Index dilation = 1, groups = 1;
};

/// The gradient of a conv2d to its image, as an operator: x[N, H, W, C],
/// weight[C, R, S, O / groups], bias[O] or none, giving
/// [N, (H - 1) stride - top - bottom + dilation (R - 1) + output_padding + 1, ..., O].
Var conv_transpose2d(const Var& x, const Var& weight, const Var& bias = {},
                     const ConvTranspose2dOptions& = {});

// --- pooling ------------------------------------------------------------------

struct Pool2dOptions {
  Index kernel = 2, stride = 2, padding = 0;
};

/// Largest or average element of each window of x[N, H, W, C].  Padding never
/// wins a maximum and counts as zeros in an average.
Var max_pool2d(const Var& x, const Pool2dOptions& = {});
Var avg_pool2d(const Var& x, const Pool2dOptions& = {});

/// max_pool2d(relu(x)), to the bit, in one pass.
Var relu_max_pool2d(const Var& x, const Pool2dOptions& = {});

/// Averages of x[N, H, W, C] over windows that share the image out, [N, height,
/// width, C]: window i of n is from floor(i H / n) to ceil((i + 1) H / n).
Var adaptive_avg_pool2d(const Var& x, Index height, Index width);

/// [N, H, W, C] to [N, C].
Var global_avg_pool(const Var& x);

// --- normalisation ------------------------------------------------------------

/// The running statistics of a batch_norm, per channel: shape [C].
struct BatchNormState {
  Tensor mean, variance;
};

struct BatchNormOptions {
  Real epsilon = Real(1e-5);
  Real momentum = Real(0.1);  // weight of the newest batch in the running statistics
  bool batch_statistics = false;
  bool relu = false;  // of the result, the addend included
};

/// gamma (x - mean) / sqrt(variance + epsilon) + beta over all but the last
/// dimension; with batch_statistics mean and (biased) variance are the batch's
/// and `state` is updated (unbiased variance), else they are the state's.
/// An addend[x's shape] is added, and `relu` applied, in the same pass: the bits
/// are those of add and relu behind it.
Var batch_norm(const Var& x, const Var& gamma, const Var& beta, BatchNormState& state,
               const BatchNormOptions& = {}, const Var& addend = {});

/// A batch_norm without addend that is still to be computed: for an op that does so in its pass.
struct BatchNormInput {
  Var x, gamma, beta;
  BatchNormState state;  // the tensors that are updated
  BatchNormOptions options;
  std::string_view layer = {};  // that it is a node of; none: the current one
};
Var batch_norm(const BatchNormInput& in);

/// batch_norm with running statistics, prepared: (x - mean) factor + shift per channel,
/// then the addend (none, or of the result's shape), then relu.
struct NormalisedChannels {
  Tensor mean, factor, shift;
  bool relu = false;
  Var addend = {};
};
NormalisedChannels normalised_channels(const Var& gamma, const Var& beta,
                                       const BatchNormState& state, const BatchNormOptions&,
                                       const Var& addend = {});

/// batch_norm(conv2d(x, weight, bias, options)), to the bit, while sums are in the
/// cache.  For inference: it has no gradient, and a tape that records is an error.
Var conv2d_batch_norm(const Var& x, const Var& weight, const Var& bias, const Conv2dOptions&,
                      const NormalisedChannels& norm);

/// gamma (x - mean) / sqrt(variance + epsilon) + beta, mean and (biased) variance
/// over the last dimensions, those of gamma and beta, for each of the others.
Var layer_norm(const Var& x, const Var& gamma, const Var& beta, Real epsilon = Real(1e-5));

/// The same for x[N, ..., C], gamma[C] and beta[C], with mean and variance for each
/// sample and each of `groups` runs of channels.
Var group_norm(const Var& x, Index groups, const Var& gamma, const Var& beta,
               Real epsilon = Real(1e-5));

/// Softmax over the last dimension, and its logarithm.
Var softmax(const Var& x);
Var log_softmax(const Var& x);

// --- losses: scalars; targets are data and get no gradient ----------------------

/// Mean over n of the cross-entropy between softmax(logits[n, :]) and the label
/// targets[n] (a whole number in [0, classes)) or the distribution targets[n, :],
/// mixed with `smoothing` of the uniform distribution.
Var softmax_cross_entropy(const Var& logits, const Tensor& targets, Real smoothing = 0);

/// Mean of -t log sigmoid(z) - (1 - t) log(1 - sigmoid(z)), targets t in [0, 1].
Var binary_cross_entropy_with_logits(const Var& logits, const Tensor& targets);

/// Mean of (x - t)^2 and of |x - t|.
Var mse_loss(const Var& x, const Tensor& targets);
Var l1_loss(const Var& x, const Tensor& targets);

/// Mean of d^2 / 2 where d = |x - t| < delta, of delta (d - delta / 2) elsewhere;
/// smooth_l1_loss is this with delta = beta, divided by beta.
Var huber_loss(const Var& x, const Tensor& targets, Real delta = 1);
Var smooth_l1_loss(const Var& x, const Tensor& targets, Real beta = 1);

/// Sum of t (log t - x) for log-probabilities x, divided by the size of the batch
/// (axis 0).
Var kl_div(const Var& log_probabilities, const Tensor& targets);

}  // namespace fraqat::inline FRAQAT_PRECISION::op
