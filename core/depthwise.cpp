#include <algorithm>

#include "core/convolution.hpp"
#include "core/elementwise.hpp"

// Every tap is one multiplication a channel, and the channels of a pixel are
// neighbours: with weights turned to [R, S, C] the innermost loop is a vector.
namespace fraqat::inline FRAQAT_PRECISION::depthwise {
namespace {

Tensor taps_first(const Convolution& c, const Real* weight) {
  const Index taps = c.R * c.S;
  Tensor turned({taps, c.C});
  for (Index i = 0; i < c.C; ++i)
    for (Index t = 0; t < taps; ++t) turned[t * c.C + i] = weight[i * taps + t];
  return turned;
}

// Calls body(pixel, tap), where in the image and where in the weights, for the
// pixels under window (p, q).
template <class Body>
void each_tap(const Convolution& c, Index p, Index q, Body body) {
  for (Index r = 0; r < c.R; ++r) {
    const Index h = p * c.stride - c.top + r * c.dilation;
    if (h < 0 || h >= c.H) continue;
    for (Index s = 0; s < c.S; ++s) {
      const Index w = q * c.stride - c.left + s * c.dilation;
      if (w >= 0 && w < c.W) body((h * c.W + w) * c.C, (r * c.S + s) * c.C);
    }
  }
}

void add_products(Real* __restrict__ to, const Real* a, const Real* b, Index channels) {
  for (Index i = 0; i < channels; ++i) to[i] += a[i] * b[i];
}

}  // namespace

bool suits(const Convolution& c) { return c.groups > 1 && c.groups == c.C && c.O == c.C; }

void forward(const Convolution& c, const Real* x, const Real* weight, const Real* bias, Real* y) {
  const Tensor turned = taps_first(c, weight);
  parallel_chunks(c.N * c.P, grain_rows(c.Q * c.R * c.S * c.C), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row)
      for (Index q = 0; q < c.Q; ++q) {
        Real* to = y + (row * c.Q + q) * c.C;
        bias ? std::copy_n(bias, c.C, to) : std::fill_n(to, c.C, Real(0));
        const Real* image = x + row / c.P * c.inputs();
        each_tap(c, row % c.P, q, [&](Index pixel, Index tap) {
          add_products(to, image + pixel, turned.data() + tap, c.C);
        });
      }
  });
}

void backward_data(const Convolution& c, const Real* dy, const Real* weight, Real* dx) {
  const Tensor turned = taps_first(c, weight);
  parallel_for(c.N, [&](Index n) {
    Real* image = dx + n * c.inputs();
    const Real* from = dy + n * c.outputs();
    std::fill_n(image, c.inputs(), Real(0));
    for (Index p = 0; p < c.P; ++p)
      for (Index q = 0; q < c.Q; ++q, from += c.C)
        each_tap(c, p, q, [&](Index pixel, Index tap) {
          add_products(image + pixel, from, turned.data() + tap, c.C);
        });
  });
}

void backward_weights(const Convolution& c, const Real* x, const Real* dy, Real* dweight,
                      Real* dbias) {
  const Index taps = c.R * c.S, size = (taps + 1) * c.C;
  const SampleChunks chunks(c.N);
  Tensor parts({chunks.count, size}, Real(0));  // of dweight[R, S, C] and dbias, per chunk
  parallel_for(chunks.count, [&](Index chunk) {
    Real* part = parts.data() + chunk * size;
    const Real* from = dy + chunks.begin(chunk) * c.outputs();
    for (Index n = chunks.begin(chunk); n < chunks.end(chunk); ++n)
      for (Index p = 0; p < c.P; ++p)
        for (Index q = 0; q < c.Q; ++q, from += c.C) {
          const Real* image = x + n * c.inputs();
          each_tap(c, p, q, [&](Index pixel, Index tap) {
            add_products(part + tap, image + pixel, from, c.C);
          });
          for (Index i = 0; i < c.C; ++i) part[taps * c.C + i] += from[i];
        }
  });
  join_parts(parts.data(), chunks.count, size);
  for (Index i = 0; i < c.C; ++i)
    for (Index t = 0; t < taps; ++t) dweight[i * taps + t] = parts[t * c.C + i];
  if (dbias) std::copy_n(parts.data() + taps * c.C, c.C, dbias);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::depthwise
