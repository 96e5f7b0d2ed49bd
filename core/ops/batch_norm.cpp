#include "core/batch_norm.hpp"

/// y = gamma z + beta,  z = (x - mean) / sqrt(variance + epsilon), channel by
/// channel (the last dimension), over the n rows of all others (Ioffe and
/// Szegedy, 2015).
///
///   dL/dbeta  = sum of dL/dy           dL/dgamma = sum of dL/dy z
///   dL/dx     = gamma / sqrt(variance + epsilon) dL/dy      with running statistics
///   dL/dx     = gamma / sqrt(variance + epsilon)
///               (dL/dy - dL/dbeta / n - z dL/dgamma / n)    with the batch's
///
/// With an addend a and relu y is max(gamma z + beta + a, 0), and dL/dy above is 0
/// where that is not positive; dL/da is this dL/dy.  Without an addend the sign is
/// computed again from x, which costs less than to read y; with one dL/da is a
/// tensor of its own, and both gradients may be where dL/dy was.
///
/// The batch's mean and variance come from sums of x and x^2 in double, where
/// their difference loses nothing that matters to a float.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct BatchNorm {
  static constexpr std::string_view name = "batch_norm";
  BatchNormState running;
  BatchNormOptions options;
  ChannelNormalisation norm = {};
  Tensor y = {};  // with an addend and relu only

  void describe(Attributes& a) const {
    a("mean", norm.used.mean);
    a("variance", norm.used.variance);
    a("epsilon", options.epsilon);
    a("batch_statistics", options.batch_statistics);
    a("relu", options.relu);
  }

  Tensor forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& addend) {
    norm.prepare(x, gamma, beta, running, options);
    Tensor result(x.shape());
    norm.each_chunk([&](Index at, Index count) {
      kernels::active().channels.forward(norm.scale(), count, options.relu, x.data() + at,
                                         addend ? addend.data() + at : nullptr, result.data() + at);
    });
    if (addend && options.relu) y = result;
    return result;
  }

  std::array<Tensor, 4> backward(Tensor dy, Needs<4> needs) const {
    Tensor h = y && !dy.unique() ? Tensor(y.shape()) : dy;
    const RowSums sums = products(dy, h);
    dy = {};
    Tensor passed = needs[3] ? h : Tensor();
    auto [dx, dgamma, dbeta] =
        norm.gradients(sums, std::move(h), options.relu && !y, options.batch_statistics, needs[0]);
    return {dx, dgamma, dbeta, passed};
  }

 private:
  // Of h, which is dy as far as it passes: written here if y is kept, else the same tensor.
  RowSums products(const Tensor& dy, Tensor& h) const {
    const Index C = norm.channels();
    return sum_rows(norm.rows(), 2 * C, [&](Index begin, Index end, double* sum) {
      const Index at = begin * C;
      kernels::active().channels.products(norm.scale(), end - begin, options.relu,
                                          norm.x.data() + at, dy.data() + at,
                                          y ? y.data() + at : nullptr, h.data() + at, sum);
    });
  }
};

}  // namespace

Var batch_norm(const Var& x, const Var& gamma, const Var& beta, BatchNormState& state,
               const BatchNormOptions& options, const Var& addend) {
  check_batch_norm({x, gamma, beta, state, options});
  check(!addend || addend.shape() == x.shape(), "[batch_norm] shapes differ: got addend ",
        addend.shape(), "; expected ", x.shape(), " as x has");
  return apply(BatchNorm{state, options}, x, gamma, beta, addend);
}

Var batch_norm(const BatchNormInput& in) {
  const LayerScope scope(in.layer.empty() ? LayerScope::current() : in.layer);
  BatchNormState state = in.state;
  return batch_norm(in.x, in.gamma, in.beta, state, in.options);
}

NormalisedChannels normalised_channels(const Var& gamma, const Var& beta,
                                       const BatchNormState& state, const BatchNormOptions& options,
                                       const Var& addend) {
  check(gamma.value().rank() == 1, "[batch_norm] wrong rank: got gamma ", gamma.shape(),
        "; expected one number for each channel");
  check_channels(gamma.shape(), gamma, beta, state, options.epsilon);
  check(!options.batch_statistics,
        "[batch_norm] the batch is not there yet: got batch_statistics; expected running "
        "statistics");
  const ChannelFactors factors = channel_factors(gamma.value(), state.variance, options.epsilon);
  return {state.mean, factors.factor, beta.value(), options.relu, addend};
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
