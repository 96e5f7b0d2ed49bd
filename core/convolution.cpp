#include "core/convolution.hpp"

#include "core/parallel.hpp"

// Which way is the fastest was measured: core/kernels/README.md has the table.
namespace fraqat::inline FRAQAT_PRECISION::convolution {
namespace {

// Direct convolution pays from this many neighbouring numbers of x under a row of
// the window, and from this many channels for gradients to the weights.
constexpr Index least_run = 9;
Index least_channels() { return kernels::active().direct.lanes < 16 ? 4 : 2; }

bool direct_forward(const Convolution& c) {
  return direct::suits_forward(c) &&
         (c.S * c.group_inputs() >= least_run || !lanes::suits_forward(c));
}

bool direct_backward_data(const Convolution& c) {
  return direct::suits_backward_data(c) &&
         (c.S * c.group_outputs() >= least_run || !lanes::suits_backward_data(c));
}

bool direct_backward_weights(const Convolution& c) {
  return direct::suits_backward_weights(c) &&
         (c.group_inputs() >= least_channels() || !lanes::suits_backward_weights(c));
}

}  // namespace

void forward(const Convolution& c, const Real* x, const Real* weight, const Real* bias, Real* y) {
  if (depthwise::suits(c)) return depthwise::forward(c, x, weight, bias, y);
  if (direct_forward(c)) return direct::forward(c, x, weight, bias, y);
  if (lanes::suits_forward(c)) return lanes::forward(c, x, weight, bias, y);
  im2col::forward(c, x, weight, bias, y);
}

void forward(const Convolution& c, const Real* x, const Real* weight, const Real* bias, Real* y,
             const Finish& finish) {
  if (!depthwise::suits(c) && direct_forward(c))
    return direct::forward(c, x, weight, bias, y, finish);
  forward(c, x, weight, bias, y);
  const SampleChunks chunks(c.N);
  parallel_for(chunks.count, [&](Index i) {
    const Index at = chunks.begin(i) * c.outputs();
    finish(at, chunks.end(i) * c.outputs() - at, y);
  });
}

void backward_data(const Convolution& c, const Real* dy, const Real* weight, Real* dx) {
  if (depthwise::suits(c)) return depthwise::backward_data(c, dy, weight, dx);
  if (direct_backward_data(c)) return direct::backward_data(c, dy, weight, dx);
  if (lanes::suits_backward_data(c)) return lanes::backward_data(c, dy, weight, dx);
  im2col::backward_data(c, dy, weight, dx);
}

void backward_weights(const Convolution& c, const Real* x, const Real* dy, Real* dweight,
                      Real* dbias) {
  if (depthwise::suits(c)) return depthwise::backward_weights(c, x, dy, dweight, dbias);
  if (direct_backward_weights(c)) return direct::backward_weights(c, x, dy, dweight, dbias);
  if (lanes::suits_backward_weights(c)) return lanes::backward_weights(c, x, dy, dweight, dbias);
  im2col::backward_weights(c, x, dy, dweight, dbias);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::convolution

namespace fraqat::inline FRAQAT_PRECISION {

void Finish::operator()(Index at, Index count, Real* y) const {
  kernels::active().channels.forward(scale, count / scale.C, relu, y + at,
                                     addend ? addend + at : nullptr, y + at);
}

}  // namespace fraqat::inline FRAQAT_PRECISION
