#include <algorithm>
#include <cmath>

#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y = gamma z + beta,  z = (x - mean) / sqrt(variance + epsilon), channel by
/// channel (the last dimension), over the n rows of all others (Ioffe and
/// Szegedy, 2015).
///
///   dL/dbeta  = sum of dL/dy           dL/dgamma = sum of dL/dy z
///   dL/dx     = gamma / sqrt(variance + epsilon) dL/dy      with running statistics
///   dL/dx     = gamma / sqrt(variance + epsilon)
///               (dL/dy - dL/dbeta / n - z dL/dgamma / n)    with the batch's
///
/// The batch's mean and variance come from sums of x and x^2 in double, where
/// their difference loses nothing that matters to a float.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct BatchNorm {
  static constexpr std::string_view name = "batch_norm";
  BatchNormState used;  // the statistics that normalise, not shared with anybody
  Real epsilon;
  bool batch_statistics;
  Tensor x = {}, gamma = {}, inverse = {};  // inverse[c] = 1 / sqrt(variance + epsilon)

  void describe(Attributes& a) const {
    a("mean", used.mean);
    a("variance", used.variance);
    a("epsilon", epsilon);
    a("batch_statistics", batch_statistics);
  }

  Tensor forward(const Tensor& input, const Tensor& scale, const Tensor& shift) {
    x = input;
    gamma = scale;
    const Index channels = x.dim(-1);
    inverse = map([this](Real v) { return 1 / std::sqrt(v + epsilon); }, used.variance);
    const Tensor factor = map([](Real g, Real i) { return g * i; }, gamma, inverse);
    Tensor y(x.shape());
    const auto rows = [=, mean = used.mean.data(), f = factor.data(), b = shift.data()](
                          Real* __restrict__ out, const Real* in, Index begin, Index end) {
      for (Index r = begin; r < end; ++r)
        for (Index c = 0; c < channels; ++c)
          out[r * channels + c] = (in[r * channels + c] - mean[c]) * f[c] + b[c];
    };
    parallel_chunks(x.size() / channels, grain_rows(channels),
                    [&](Index begin, Index end) { rows(y.data(), x.data(), begin, end); });
    return y;
  }

  std::array<Tensor, 3> backward(const Tensor& dy, Needs<3> needs) const {
    const Index channels = x.dim(-1);
    Tensor dgamma({channels}), dbeta({channels});
    const auto sums = sum_rows(
        x.size() / channels, 2 * channels,
        [&](Index begin, Index end, double* sum) { add_products(begin, end, dy.data(), sum); });
    for (Index c = 0; c < channels; ++c) {
      dbeta[c] = Real(sums[static_cast<std::size_t>(c)]);
      dgamma[c] = Real(sums[static_cast<std::size_t>(channels + c)] * double(inverse[c]));
    }
    std::array<Tensor, 3> gradients;
    if (needs[0]) gradients[0] = input_gradient(dy, dgamma, dbeta);
    if (needs[1]) gradients[1] = dgamma;
    if (needs[2]) gradients[2] = dbeta;
    return gradients;
  }

 private:
  // Adds dy and dy (x - mean) of rows [begin, end), channel by channel.
  void add_products(Index begin, Index end, const Real* dy, double* __restrict__ sum) const {
    const Index channels = x.dim(-1);
    const Real *in = x.data(), *mean = used.mean.data();
    for (Index r = begin; r < end; ++r)
      for (Index c = 0; c < channels; ++c) {
        const double d = double(dy[r * channels + c]);
        sum[c] += d;
        sum[channels + c] += d * double(in[r * channels + c] - mean[c]);
      }
  }

  Tensor input_gradient(const Tensor& dy, const Tensor& dgamma, const Tensor& dbeta) const {
    const Index channels = x.dim(-1), n = x.size() / channels;
    Tensor dx(x.shape());
    const Real share = batch_statistics ? 1 / Real(n) : Real(0);
    const Tensor factor = map([](Real g, Real i) { return g * i; }, gamma, inverse);
    const Tensor level = map([=](Real b) { return b * share; }, dbeta);
    const Tensor slope = map([=](Real g, Real i) { return g * i * share; }, dgamma, inverse);
    const auto rows = [=, mean = used.mean.data(), f = factor.data(), l = level.data(),
                       s = slope.data()](Real* __restrict__ out, const Real* d, const Real* in,
                                         Index begin, Index end) {
      for (Index r = begin; r < end; ++r)
        for (Index c = 0; c < channels; ++c) {
          const Index i = r * channels + c;
          out[i] = f[c] * (d[i] - l[c] - s[c] * (in[i] - mean[c]));
        }
    };
    parallel_chunks(n, grain_rows(channels), [&](Index begin, Index end) {
      rows(dx.data(), dy.data(), x.data(), begin, end);
    });
    return dx;
  }
};

BatchNormState batch_statistics(const Tensor& x) {
  const Index channels = x.dim(-1), n = x.size() / channels;
  const auto sums =
      sum_rows(n, 2 * channels, [&](Index begin, Index end, double* __restrict__ sum) {
        const Real* in = x.data();
        for (Index r = begin; r < end; ++r)
          for (Index c = 0; c < channels; ++c) {
            const double v = double(in[r * channels + c]);
            sum[c] += v;
            sum[channels + c] += v * v;
          }
      });
  BatchNormState batch{Tensor({channels}), Tensor({channels})};
  for (Index c = 0; c < channels; ++c) {
    const double mean = sums[static_cast<std::size_t>(c)] / double(n);
    const double square = sums[static_cast<std::size_t>(channels + c)] / double(n);
    batch.mean[c] = Real(mean);
    batch.variance[c] = Real(std::max(0.0, square - mean * mean));
  }
  return batch;
}

void update(BatchNormState& state, const BatchNormState& batch, Index n, Real momentum) {
  const Real unbiased = Real(n) / Real(n - 1);
  for (Index c = 0; c < batch.mean.size(); ++c) {
    state.mean[c] += momentum * (batch.mean[c] - state.mean[c]);
    state.variance[c] += momentum * (batch.variance[c] * unbiased - state.variance[c]);
  }
}

}  // namespace

Var batch_norm(const Var& x, const Var& gamma, const Var& beta, BatchNormState& state,
               const BatchNormOptions& options) {
  check(x.value().rank() > 0 && x.value().dim(-1) > 0, "[batch_norm] no channels: got x ",
        x.shape(), "; expected x[..., C]");
  const Shape channels{x.value().dim(-1)};
  check(gamma.shape() == channels && beta.shape() == channels && state.mean.shape() == channels &&
            state.variance.shape() == channels,
        "[batch_norm] channels differ: got gamma ", gamma.shape(), ", beta ", beta.shape(),
        ", mean ", state.mean.shape(), ", variance ", state.variance.shape(), "; expected ",
        channels, " for x ", x.shape());
  check(options.epsilon > 0, "[batch_norm] epsilon is not positive: got ", options.epsilon,
        "; expected more than 0");
  const Index n = x.value().size() / channels[0];
  if (!options.batch_statistics)
    return apply(BatchNorm{{state.mean.clone(), state.variance.clone()}, options.epsilon, false}, x,
                 gamma, beta);
  check(n > 1, "[batch_norm] no variance in one value per channel: got x ", x.shape(),
        "; expected at least two; try a larger batch");
  const BatchNormState batch = batch_statistics(x.value());
  update(state, batch, n, options.momentum);
  return apply(BatchNorm{batch, options.epsilon, true}, x, gamma, beta);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
