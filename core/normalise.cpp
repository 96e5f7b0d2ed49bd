#include "core/normalise.hpp"

#include <algorithm>
#include <cmath>

#include "core/convolution.hpp"
#include "core/parallel.hpp"

namespace fraqat::inline FRAQAT_PRECISION {
namespace {

// Eight running sums, joined in a fixed tree.
template <class F>
double sum(Index n, F f) {
  std::array<double, 8> sums{};
  Index i = 0;
  for (; i + 8 <= n; i += 8)
    for (Index l = 0; l < 8; ++l) sums[static_cast<std::size_t>(l)] += f(i + l);
  for (std::size_t l = 0; i < n; ++i, ++l) sums[l] += f(i);
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

// Calls body(chunk, sample) for all samples, in order within a chunk.
template <class Body>
void each_sample(Index samples, Body body) {
  const SampleChunks chunks(samples);
  parallel_for(chunks.count, [&](Index chunk) {
    for (Index n = chunks.begin(chunk); n < chunks.end(chunk); ++n) body(chunk, n);
  });
}

}  // namespace

Tensor Normalisation::forward(const Tensor& input, const Tensor& scale, const Tensor& shift) {
  x = input;
  gamma = scale;
  mean = Tensor({samples, groups});
  inverse = Tensor({samples, groups});
  Tensor y(x.shape());
  std::vector<double, PoolAllocator<double>> rooms(
      static_cast<std::size_t>(SampleChunks(samples).count * 2 * channels()));
  each_sample(samples, [&](Index chunk, Index n) {
    set_moments(n, rooms.data() + chunk * 2 * channels());
    apply(n, shift.data(), y.data());
  });
  return y;
}

// Channel by channel first: these sums go through the image once, in its order.
void Normalisation::set_moments(Index sample, double* __restrict__ sums) {
  const Index C = channels();
  const Real* in = x.data() + sample * pixels * C;
  std::fill_n(sums, 2 * C, 0.0);
  for (Index p = 0; p < pixels; ++p, in += C)
    for (Index c = 0; c < C; ++c) {
      const double v = double(in[c]);
      sums[c] += v;
      sums[C + c] += v * v;
    }
  const double count = double(pixels * width);
  for (Index g = 0; g < groups; ++g) {
    const double *first = sums + g * width, *second = first + C;
    const double m = sum(width, [=](Index i) { return first[i]; }) / count;
    const double square = sum(width, [=](Index i) { return second[i]; }) / count;
    mean[sample * groups + g] = Real(m);
    inverse[sample * groups + g] =
        Real(1 / std::sqrt(std::max(0.0, square - m * m) + double(epsilon)));
  }
}

void Normalisation::apply(Index sample, const Real* shift, Real* y) const {
  const Index first = sample * pixels * channels();
  for (Index p = 0; p < pixels; ++p)
    for (Index g = 0; g < groups; ++g) {
      const Index at = first + p * channels() + g * width;
      const Real m = mean[sample * groups + g], factor = inverse[sample * groups + g];
      const Real *in = x.data() + at, *scale = gamma.data() + g * width, *b = shift + g * width;
      Real* __restrict__ out = y + at;
      for (Index i = 0; i < width; ++i) out[i] = (in[i] - m) * factor * scale[i] + b[i];
    }
}

std::array<Tensor, 3> Normalisation::backward(const Tensor& dy, Needs<3> needs) const {
  const Index C = channels();
  const SampleChunks chunking(samples);
  const Index chunks = chunking.count;
  std::vector<double, PoolAllocator<double>> rooms(static_cast<std::size_t>(chunks * 2 * C));
  Tensor parts({chunks, 2 * C});  // of dbeta and dgamma, per chunk
  Tensor scratch({chunks, 3 * C});
  std::array<Tensor, 3> gradients;
  if (needs[0]) gradients[0] = Tensor(x.shape());
  each_sample(samples, [&](Index chunk, Index n) {
    double* sums = rooms.data() + chunk * 2 * C;
    add_products(n, dy.data(), sums);
    Real* part = parts.data() + chunk * 2 * C;
    const bool first = n == chunking.begin(chunk);
    for (Index i = 0; i < 2 * C; ++i) part[i] = Real(sums[i]) + (first ? 0 : part[i]);
    if (needs[0])
      input_gradient(n, sums, dy.data(), scratch.data() + chunk * 3 * C, gradients[0].data());
  });
  join_parts(parts.data(), chunks, 2 * C);
  for (const std::size_t i : {1, 2}) {
    if (!needs[i]) continue;
    gradients[i] = Tensor(gamma.shape());
    std::copy_n(parts.data() + (i == 1 ? C : 0), C, gradients[i].data());
  }
  return gradients;
}

// sums = dy and, behind them, dy z of one sample, channel by channel.
void Normalisation::add_products(Index sample, const Real* dy, double* __restrict__ sums) const {
  const Index C = channels();
  std::fill_n(sums, 2 * C, 0.0);
  for (Index p = 0; p < pixels; ++p)
    for (Index g = 0; g < groups; ++g) {
      const Index at = (sample * pixels + p) * C + g * width;
      const Real *in = x.data() + at, *d = dy + at, m = mean[sample * groups + g];
      double *first = sums + g * width, *second = first + C;
      for (Index i = 0; i < width; ++i) {
        first[i] += double(d[i]);
        second[i] += double(d[i]) * double(in[i] - m);
      }
    }
  for (Index c = 0; c < C; ++c) sums[C + c] *= double(inverse[sample * groups + c / width]);
}

// dx = factor dy - level - slope (x - mean), three numbers per channel.
void Normalisation::input_gradient(Index sample, const double* sums, const Real* dy, Real* room,
                                   Real* dx) const {
  const Index C = channels();
  Real *factor = room, *level = room + C, *slope = room + 2 * C;
  for (Index g = 0; g < groups; ++g) {
    const double *first = sums + g * width, *second = first + C;
    const Real* scale = gamma.data() + g * width;
    const double i = double(inverse[sample * groups + g]), share = i / double(pixels * width);
    const double h = sum(width, [=](Index c) { return double(scale[c]) * first[c]; });
    const double hz = sum(width, [=](Index c) { return double(scale[c]) * second[c]; });
    for (Index c = g * width; c < (g + 1) * width; ++c) {
      factor[c] = gamma[c] * Real(i);
      level[c] = Real(h * share);
      slope[c] = Real(hz * share * i);
    }
  }
  for (Index p = 0; p < pixels; ++p)
    for (Index g = 0; g < groups; ++g) {
      const Index at = (sample * pixels + p) * C + g * width;
      const Real *in = x.data() + at, *d = dy + at, m = mean[sample * groups + g];
      const Real *f = factor + g * width, *l = level + g * width, *s = slope + g * width;
      Real* __restrict__ out = dx + at;
      for (Index i = 0; i < width; ++i) out[i] = f[i] * d[i] - l[i] - s[i] * (in[i] - m);
    }
}

}  // namespace fraqat::inline FRAQAT_PRECISION
