#include "core/convolution.hpp"
#include "core/parallel.hpp"

namespace fraqat::inline FRAQAT_PRECISION::lanes {
namespace {

const kernels::Table::Lanes& kernel() { return kernels::active().lanes; }

// Measured on AVX2 against im2col, one thread: forward and data gradients win at
// any number of channels (80 to 100 GFLOP/s, 35 to 60), weight gradients while
// dweight, as long as the lanes are wide, stays in the second cache (70 to 38).
constexpr Index most_weight_pairs = 32 * 32;  // C x O
constexpr Index most_image = 1 << 20;         // numbers of packed x

bool suits(const Convolution& c) {
  return c.groups == 1 && c.dilation == 1 && c.N >= kernel().lanes &&
         c.H * std::max(c.left + c.W, (c.Q - 1) * c.stride + c.S) * c.C * kernel().lanes <=
             most_image;
}

// Calls body(chunk, first, sample, count, scratch) for all groups of samples, in order
// within a chunk, the first of which it is told; different chunks in parallel.
template <class Body>
void each_group(const Convolution& c, Body body) {
  const SampleChunks chunks(c.N, kernel().lanes);
  const Index room = kernel().scratch(c);
  Tensor scratch({thread_count(), room});
  parallel_for(chunks.count, [&](Index chunk) {
    for (Index n = chunks.begin(chunk); n < chunks.end(chunk); n += kernel().lanes)
      body(chunk, n == chunks.begin(chunk), n, std::min(kernel().lanes, chunks.end(chunk) - n),
           scratch.data() + thread_index() * room);
  });
}

// With stride 1 the gradient to x is a convolution of dy with the window turned
// around, from O channels to C, whose padding makes up for the size.
Convolution turned_around(const Convolution& c) {
  return {
      {c.N, c.P, c.Q, c.O, c.C, c.R, c.S, c.H, c.W, 1, c.R - 1 - c.top, c.S - 1 - c.left, 1, 1}};
}

// weight is [R, S, C, O].
void run(const Convolution& c, const Real* x, const Real* weight, const Real* bias, Real* y) {
  each_group(c, [&](Index, bool, Index n, Index count, Real* scratch) {
    kernel().forward(c, count, x + n * c.inputs(), weight, bias, y + n * c.outputs(), scratch);
  });
}

}  // namespace

bool suits_forward(const Convolution& c) { return suits(c); }

bool suits_backward_data(const Convolution& c) {
  return c.groups == 1 && c.dilation == 1 && c.stride == 1 && c.top < c.R && c.left < c.S &&
         suits(turned_around(c));
}

bool suits_backward_weights(const Convolution& c) {
  return suits(c) && c.C * c.O <= most_weight_pairs;
}

void forward(const Convolution& c, const Real* x, const Real* weight, const Real* bias, Real* y) {
  Tensor turned({c.patch(), c.O});
  for (Index o = 0; o < c.O; ++o)
    for (Index k = 0; k < c.patch(); ++k) turned[k * c.O + o] = weight[o * c.patch() + k];
  run(c, x, turned.data(), bias, y);
}

void backward_data(const Convolution& c, const Real* dy, const Real* weight, Real* dx) {
  const Index taps = c.R * c.S;
  Tensor turned({taps, c.O, c.C});
  for (Index o = 0; o < c.O; ++o)
    for (Index t = 0; t < taps; ++t)
      std::copy_n(weight + (o * taps + t) * c.C, c.C,
                  turned.data() + ((taps - 1 - t) * c.O + o) * c.C);
  run(turned_around(c), dy, turned.data(), nullptr, dx);
}

void backward_weights(const Convolution& c, const Real* x, const Real* dy, Real* dweight,
                      Real* dbias) {
  const Index size = c.weights() + c.O, chunks = SampleChunks(c.N, kernel().lanes).count;
  Tensor parts({chunks, size});  // of dweight and dbias, per chunk
  each_group(c, [&](Index chunk, bool first, Index n, Index count, Real* scratch) {
    Real* part = parts.data() + chunk * size;
    kernel().backward_weights(c, count, x + n * c.inputs(), dy + n * c.outputs(), !first, part,
                              part + c.weights(), scratch);
  });
  join_parts(parts.data(), chunks, size);
  std::copy_n(parts.data(), c.weights(), dweight);
  if (dbias) std::copy_n(parts.data() + c.weights(), c.O, dbias);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::lanes
