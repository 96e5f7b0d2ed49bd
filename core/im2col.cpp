#include <algorithm>

#include "core/blas.hpp"
#include "core/convolution.hpp"
#include "core/parallel.hpp"

namespace fraqat::inline FRAQAT_PRECISION {

void join_parts(Real* parts, Index count, Index size) {
  constexpr Index grain = 1 << 13;
  parallel_chunks(size, grain, [=](Index begin, Index end) {
    for (Index width = 1; width < count; width *= 2)
      for (Index i = 0; i + width < count; i += 2 * width)
        for (Index e = begin; e < end; ++e) parts[i * size + e] += parts[(i + width) * size + e];
  });
}

namespace im2col {
namespace {

constexpr Index tile_numbers = 1 << 15;  // of patches at a time: 128 KiB of floats, half an L2

// A window of one pixel on each pixel: the image is its own patch matrix.
bool pointwise(const Convolution& c) {
  return c.R == 1 && c.S == 1 && c.stride == 1 && c.top == 0 && c.left == 0 && c.P == c.H &&
         c.Q == c.W;
}

Index tile_rows(const Convolution& c) {
  return pointwise(c) ? c.P : std::clamp(tile_numbers / (c.Q * c.patch()), Index{1}, c.P);
}

Index scratch(const Convolution& c) { return pointwise(c) ? 0 : tile_rows(c) * c.Q * c.patch(); }

// Calls f(patch, pixel) for every window position of output rows [row, end):
// where in the patch matrix, and where in the image, or null in the padding.
template <class Image, class F>
void each_position(const Convolution& c, Index group, Index row, Index end, Real* patches,
                   Image* image, F f) {
  const Index channels = c.group_inputs();
  for (Index p = row; p < end; ++p)
    for (Index q = 0; q < c.Q; ++q)
      for (Index r = 0; r < c.R; ++r)
        for (Index s = 0; s < c.S; ++s, patches += channels) {
          const Index h = p * c.stride - c.top + r * c.dilation;
          const Index w = q * c.stride - c.left + s * c.dilation;
          const bool inside = h >= 0 && h < c.H && w >= 0 && w < c.W;
          f(patches, inside ? image + (h * c.W + w) * c.C + group * channels : nullptr);
        }
}

// Patches of output rows [row, end) of one image, and the length of their rows.
struct Patches {
  const Real* data;
  Index stride;
};

Patches gather(const Convolution& c, Index group, Index row, Index end, const Real* image,
               Real* room) {
  const Index channels = c.group_inputs();
  if (pointwise(c)) return {image + row * c.W * c.C + group * channels, c.C};
  each_position(c, group, row, end, room, image, [=](Real* to, const Real* from) {
    from ? std::copy_n(from, channels, to) : std::fill_n(to, channels, Real(0));
  });
  return {room, c.patch()};
}

void scatter_add(const Convolution& c, Index group, Index row, Index end, Real* patches,
                 Real* image) {
  const Index channels = c.group_inputs();
  each_position(c, group, row, end, patches, image, [=](const Real* from, Real* to) {
    for (Index i = 0; to && i < channels; ++i) to[i] += from[i];
  });
}

// Calls body(chunk, sample, group, row, end) for all tiles of output rows;
// different chunks in parallel.
template <class Body>
void each_tile(const Convolution& c, Body body) {
  const SampleChunks chunks(c.N);
  const Index step = tile_rows(c);
  parallel_for(chunks.count, [&](Index chunk) {
    for (Index n = chunks.begin(chunk); n < chunks.end(chunk); ++n)
      for (Index group = 0; group < c.groups; ++group)
        for (Index row = 0; row < c.P; row += step)
          body(chunk, n, group, row, std::min(c.P, row + step));
  });
}

}  // namespace

void forward(const Convolution& c, const Real* x, const Real* weight, const Real* bias, Real* y) {
  const Index K = c.patch(), outputs = c.group_outputs();
  Tensor rooms({SampleChunks(c.N).count, scratch(c)});
  each_tile(c, [&](Index chunk, Index n, Index group, Index row, Index end) {
    const Patches patches =
        gather(c, group, row, end, x + n * c.inputs(), rooms.data() + chunk * scratch(c));
    const Index pixels = (end - row) * c.Q;
    Real* to = y + n * c.outputs() + row * c.Q * c.O + group * outputs;
    if (bias)
      for (Index i = 0; i < pixels; ++i) std::copy_n(bias + group * outputs, outputs, to + i * c.O);
    blas::gemm(blas::Op::none, blas::Op::transpose, pixels, outputs, K, 1, patches.data,
               patches.stride, weight + group * outputs * K, K, bias ? 1 : 0, to, c.O);
  });
}

void backward_data(const Convolution& c, const Real* dy, const Real* weight, Real* dx) {
  const Index K = c.patch(), outputs = c.group_outputs();
  Tensor rooms({SampleChunks(c.N).count, scratch(c)});
  each_tile(c, [&](Index chunk, Index n, Index group, Index row, Index end) {
    Real* image = dx + n * c.inputs();
    const bool direct = pointwise(c);
    Real* patches = direct ? image + row * c.W * c.C + group * c.group_inputs()
                           : rooms.data() + chunk * scratch(c);
    if (!direct && group == 0 && row == 0) std::fill_n(image, c.inputs(), Real(0));
    blas::gemm(blas::Op::none, blas::Op::none, (end - row) * c.Q, K, outputs, 1,
               dy + n * c.outputs() + row * c.Q * c.O + group * outputs, c.O,
               weight + group * outputs * K, K, 0, patches, direct ? c.C : K);
    if (!direct) scatter_add(c, group, row, end, patches, image);
  });
}

void backward_weights(const Convolution& c, const Real* x, const Real* dy, Real* dweight,
                      Real* dbias) {
  const Index K = c.patch(), outputs = c.group_outputs();
  const Index size = c.weights() + (dbias ? c.O : 0);
  const SampleChunks chunks(c.N);
  Tensor rooms({chunks.count, scratch(c)});
  Tensor parts({chunks.count, size});  // of dweight and dbias, per chunk
  each_tile(c, [&](Index chunk, Index n, Index group, Index row, Index end) {
    const Patches patches =
        gather(c, group, row, end, x + n * c.inputs(), rooms.data() + chunk * scratch(c));
    const Index pixels = (end - row) * c.Q;
    const Real* from = dy + n * c.outputs() + row * c.Q * c.O + group * outputs;
    const bool first = n == chunks.begin(chunk) && row == 0;
    Real* part = parts.data() + chunk * size;
    blas::gemm(blas::Op::transpose, blas::Op::none, outputs, K, pixels, 1, from, c.O, patches.data,
               patches.stride, first ? 0 : 1, part + group * outputs * K, K);
    if (!dbias) return;
    Real* sums = part + c.weights() + group * outputs;
    if (first) std::fill_n(sums, outputs, Real(0));
    for (Index i = 0; i < pixels; ++i)
      for (Index o = 0; o < outputs; ++o) sums[o] += from[i * c.O + o];
  });
  join_parts(parts.data(), chunks.count, size);
  std::copy_n(parts.data(), c.weights(), dweight);
  if (dbias) std::copy_n(parts.data() + c.weights(), c.O, dbias);
}

}  // namespace im2col
}  // namespace fraqat::inline FRAQAT_PRECISION
