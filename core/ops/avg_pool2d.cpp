#include <algorithm>

#include "core/windows.hpp"

/// y[n, i, j, c] = (sum of x[n, h, w, c] over window (i, j)) / kernel^2: padding
/// counts as zeros.
///
///   dL/dx[n, h, w, c] = sum of dL/dy[n, i, j, c] over the windows it is in / kernel^2
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

void add_scaled(Real* __restrict__ to, const Real* __restrict__ from, Real factor, Index channels) {
  for (Index c = 0; c < channels; ++c) to[c] += factor * from[c];
}

struct AvgPool2d {
  static constexpr std::string_view name = "avg_pool2d";
  Windows windows;
  Real share;  // 1 / kernel^2

  void describe(Attributes& a) const { windows.describe(a); }

  Tensor forward(const Tensor& x) const {
    Tensor y(windows.output());
    const Index channels = windows.channels(), width = windows.output()[2] * channels;
    parallel_chunks(windows.rows(), windows.grain(), [&](Index begin, Index end) {
      std::fill(y.data() + begin * width, y.data() + end * width, Real(0));
      for (Index row = begin; row < end; ++row)
        windows.visit(row, [&](Index to, Index from, bool) {
          add_scaled(y.data() + to, x.data() + from, 1, channels);
        });
      for (Index i = begin * width; i < end * width; ++i) y[i] *= share;
    });
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    Tensor dx(windows.input());
    const Index channels = windows.channels(), rows = windows.output()[1];
    const Index samples = windows.input()[0], each = dx.size() / std::max<Index>(1, samples);
    parallel_chunks(samples, grain_rows(each), [&](Index begin, Index end) {
      std::fill(dx.data() + begin * each, dx.data() + end * each, Real(0));
      for (Index row = begin * rows; row < end * rows; ++row)
        windows.visit(row, [&](Index from, Index to, bool) {
          add_scaled(dx.data() + to, dy.data() + from, share, channels);
        });
    });
    return {dx};
  }
};

}  // namespace

Var avg_pool2d(const Var& x, const Pool2dOptions& options) {
  const Windows windows("avg_pool2d", x.shape(), options);
  return apply(AvgPool2d{windows, 1 / Real(options.kernel * options.kernel)}, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
