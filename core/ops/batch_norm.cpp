#include <algorithm>
#include <cmath>

#include "core/elementwise.hpp"
#include "core/kernels/kernels.hpp"
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
/// With an addend a and relu y is max(gamma z + beta + a, 0), and dL/dy above is 0
/// where that is not positive; dL/da is this dL/dy.  Without an addend the sign is
/// computed again from x, which costs less than to read y; with one dL/da is a
/// tensor of its own, and both gradients may be where dL/dy was.
///
/// The batch's mean and variance come from sums of x and x^2 in double, where
/// their difference loses nothing that matters to a float.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

// In double, per channel: the sum of one number of each row, and behind them of another.
using ChannelSums = std::vector<double, PoolAllocator<double>>;

BatchNormState batch_statistics(const Tensor& x) {
  const Index C = x.dim(-1), n = x.size() / C;
  const ChannelSums sums = sum_rows(n, 2 * C, [&](Index begin, Index end, double* sum) {
    kernels::active().channels.moments(C, end - begin, x.data() + begin * C, sum);
  });
  BatchNormState batch{Tensor({C}), Tensor({C})};
  for (Index c = 0; c < C; ++c) {
    const double mean = sums[static_cast<std::size_t>(c)] / double(n);
    const double square = sums[static_cast<std::size_t>(C + c)] / double(n);
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

Tensor inverse_deviation(const Tensor& variance, Real epsilon) {
  return map([=](Real v) { return 1 / std::sqrt(v + epsilon); }, variance);
}

Tensor product(const Tensor& gamma, const Tensor& inverse) {
  return map([](Real g, Real i) { return g * i; }, gamma, inverse);
}

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

struct BatchNorm {
  static constexpr std::string_view name = "batch_norm";
  BatchNormState running;
  BatchNormOptions options;
  BatchNormState used = {};  // the statistics that normalise, not shared with anybody
  Tensor x = {}, shift = {};
  Tensor y = {};                     // with an addend and relu only
  Tensor inverse = {}, factor = {};  // per channel: 1 / sqrt(variance + epsilon), times gamma

  void describe(Attributes& a) const {
    a("mean", used.mean);
    a("variance", used.variance);
    a("epsilon", options.epsilon);
    a("batch_statistics", options.batch_statistics);
    a("relu", options.relu);
  }

  Tensor forward(const Tensor& input, const Tensor& gamma, const Tensor& beta,
                 const Tensor& addend) {
    x = input;
    shift = beta;
    if (options.batch_statistics) {
      used = batch_statistics(x);
      update(running, used, rows(), options.momentum);
    } else {
      used = {running.mean.clone(), running.variance.clone()};
    }
    inverse = inverse_deviation(used.variance, options.epsilon);
    factor = product(gamma, inverse);
    Tensor result(x.shape());
    each_chunk([&](Index at, Index count) {
      kernels::active().channels.forward(scale(), count, options.relu, x.data() + at,
                                         addend ? addend.data() + at : nullptr, result.data() + at);
    });
    if (addend && options.relu) y = result;
    return result;
  }

  std::array<Tensor, 4> backward(Tensor dy, Needs<4> needs) const {
    Tensor h = y && !dy.unique() ? Tensor(x.shape()) : dy;
    const ChannelSums sums = products(dy, h);
    dy = {};
    const Index C = channels();
    Tensor dgamma({C}), dbeta({C});
    for (Index c = 0; c < C; ++c) {
      dbeta[c] = Real(sums[static_cast<std::size_t>(c)]);
      dgamma[c] = Real(sums[static_cast<std::size_t>(C + c)] * double(inverse[c]));
    }
    std::array<Tensor, 4> gradients;
    if (needs[3]) gradients[3] = h;
    if (needs[0]) gradients[0] = input_gradient(std::move(h), dgamma, dbeta);
    if (needs[1]) gradients[1] = dgamma;
    if (needs[2]) gradients[2] = dbeta;
    return gradients;
  }

 private:
  Index channels() const { return x.dim(-1); }
  Index rows() const { return x.size() / channels(); }

  kernels::ChannelScale scale() const {
    return {channels(), used.mean.data(), factor.data(), shift.data()};
  }

  // Calls body(at, count) for chunks of `count` rows, the first number of which is `at`.
  template <class Body>
  void each_chunk(Body body) const {
    const Index C = channels();
    parallel_chunks(rows(), grain_rows(C),
                    [&](Index begin, Index end) { body(begin * C, end - begin); });
  }

  // Of h, which is dy as far as it passes: written here if y is kept, else the same tensor.
  ChannelSums products(const Tensor& dy, Tensor& h) const {
    return sum_rows(rows(), 2 * channels(), [&](Index begin, Index end, double* sum) {
      const Index at = begin * channels();
      kernels::active().channels.products(scale(), end - begin, options.relu, x.data() + at,
                                          dy.data() + at, y ? y.data() + at : nullptr,
                                          h.data() + at, sum);
    });
  }

  Tensor input_gradient(Tensor h, const Tensor& dgamma, const Tensor& dbeta) const {
    Tensor dx = h.unique() ? h : Tensor(x.shape());
    const Real share = options.batch_statistics ? 1 / Real(rows()) : Real(0);
    const Tensor level = map([=](Real b) { return b * share; }, dbeta);
    const Tensor slope = map([=](Real g, Real i) { return g * i * share; }, dgamma, inverse);
    each_chunk([&](Index at, Index count) {
      kernels::active().channels.backward(scale(), level.data(), slope.data(), count,
                                          options.relu && !y, x.data() + at, h.data() + at,
                                          dx.data() + at);
    });
    return dx;
  }
};

}  // namespace

Var batch_norm(const Var& x, const Var& gamma, const Var& beta, BatchNormState& state,
               const BatchNormOptions& options, const Var& addend) {
  check(x.value().rank() > 0 && x.value().dim(-1) > 0, "[batch_norm] no channels: got x ",
        x.shape(), "; expected x[..., C]");
  check_channels(x.shape(), gamma, beta, state, options.epsilon);
  check(!addend || addend.shape() == x.shape(), "[batch_norm] shapes differ: got addend ",
        addend.shape(), "; expected ", x.shape(), " as x has");
  const Index n = x.value().size() / x.value().dim(-1);
  check(n > 1 || !options.batch_statistics,
        "[batch_norm] no variance in one value per channel: got x ", x.shape(),
        "; expected at least two; try a larger batch");
  return apply(BatchNorm{state, options}, x, gamma, beta, addend);
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
  const Tensor inverse = inverse_deviation(state.variance, options.epsilon);
  return {state.mean, product(gamma.value(), inverse), beta.value(), options.relu, addend};
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
