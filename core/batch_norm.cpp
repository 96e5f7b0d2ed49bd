#include "core/batch_norm.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace fraqat::inline FRAQAT_PRECISION {
namespace {

op::BatchNormState batch_statistics_of(const Tensor& x) {
  const Index C = x.dim(-1), n = x.size() / C;
  const RowSums sums = sum_rows(n, 2 * C, [&](Index begin, Index end, double* sum) {
    kernels::active().channels.moments(C, end - begin, x.data() + begin * C, sum);
  });
  op::BatchNormState batch{Tensor({C}), Tensor({C})};
  for (Index c = 0; c < C; ++c) {
    const double mean = sums[c] / double(n);
    const double square = sums[C + c] / double(n);
    batch.mean[c] = Real(mean);
    batch.variance[c] = Real(std::max(0.0, square - mean * mean));
  }
  return batch;
}

void update(op::BatchNormState& state, const op::BatchNormState& batch, Index n, Real momentum) {
  const Real unbiased = Real(n) / Real(n - 1);
  for (Index c = 0; c < batch.mean.size(); ++c) {
    state.mean[c] += momentum * (batch.mean[c] - state.mean[c]);
    state.variance[c] += momentum * (batch.variance[c] * unbiased - state.variance[c]);
  }
}

}  // namespace

ChannelFactors channel_factors(const Tensor& gamma, const Tensor& variance, Real epsilon) {
  const Tensor inverse = map([=](Real v) { return 1 / std::sqrt(v + epsilon); }, variance);
  return {inverse, map([](Real g, Real i) { return g * i; }, gamma, inverse)};
}

void ChannelNormalisation::prepare(const Tensor& input, const Tensor& gamma, const Tensor& beta,
                                   op::BatchNormState& running,
                                   const op::BatchNormOptions& options) {
  x = input;
  shift = beta;
  if (options.batch_statistics) {
    used = batch_statistics_of(x);
    update(running, used, rows(), options.momentum);
  } else {
    used = {running.mean.clone(), running.variance.clone()};
  }
  factors = channel_factors(gamma, used.variance, options.epsilon);
}

ChannelNormalisation::Gradients ChannelNormalisation::gradients(const RowSums& sums, Tensor h,
                                                                bool relu, bool batch_statistics,
                                                                bool needs_x) const {
  const Index C = channels();
  Gradients g{{}, Tensor({C}), Tensor({C})};
  for (Index c = 0; c < C; ++c) {
    g.beta[c] = Real(sums[c]);
    g.gamma[c] = Real(sums[C + c] * double(factors.inverse[c]));
  }
  if (needs_x) g.x = input_gradient(std::move(h), g, relu, batch_statistics);
  return g;
}

Tensor ChannelNormalisation::input_gradient(Tensor h, const Gradients& sums, bool relu,
                                            bool batch_statistics) const {
  Tensor dx = h.unique() ? h : Tensor(x.shape());
  const Real share = batch_statistics ? 1 / Real(rows()) : Real(0);
  const Tensor level = map([=](Real b) { return b * share; }, sums.beta);
  const Tensor slope =
      map([=](Real g, Real i) { return g * i * share; }, sums.gamma, factors.inverse);
  each_chunk([&](Index at, Index count) {
    kernels::active().channels.backward(scale(), level.data(), slope.data(), count, relu,
                                        x.data() + at, h.data() + at, dx.data() + at);
  });
  return dx;
}

}  // namespace fraqat::inline FRAQAT_PRECISION

namespace fraqat::inline FRAQAT_PRECISION::op {

void check_channels(const Shape& x, const Var& gamma, const Var& beta, const BatchNormState& state,
                    Real epsilon) {
  const Shape channels{x[-1]};
  check(gamma.shape() == channels && beta.shape() == channels && state.mean.shape() == channels &&
            state.variance.shape() == channels,
        "[batch_norm] channels differ: got gamma ", gamma.shape(), ", beta ", beta.shape(),
        ", mean ", state.mean.shape(), ", variance ", state.variance.shape(), "; expected ",
        channels, " for x ", x);
  check(epsilon > 0, "[batch_norm] epsilon is not positive: got ", epsilon,
        "; expected more than 0");
}

void check_batch_norm(const BatchNormInput& in) {
  const Shape& x = in.x.shape();
  check(x.rank() > 0 && x[-1] > 0, "[batch_norm] no channels: got x ", x, "; expected x[..., C]");
  check_channels(x, in.gamma, in.beta, in.state, in.options.epsilon);
  check(x.size() / x[-1] > 1 || !in.options.batch_statistics,
        "[batch_norm] no variance in one value per channel: got x ", x,
        "; expected at least two; try a larger batch");
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
