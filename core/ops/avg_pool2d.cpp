#include <algorithm>

#include "core/kernels/kernels.hpp"
#include "core/windows.hpp"

/// y[n, i, j, c] = (sum of x[n, h, w, c] over window (i, j)) / kernel^2: padding
/// counts as zeros.
///
///   dL/dx[n, h, w, c] = sum of dL/dy[n, i, j, c] / kernel^2 over the windows it is in
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct AvgPool2d {
  static constexpr std::string_view name = "avg_pool2d";
  Windows windows;

  void describe(Attributes& a) const { windows.describe(a); }

  Tensor forward(const Tensor& x) const {
    Tensor y(windows.output());
    parallel_chunks(windows.rows(), windows.grain(), [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row)
        windows.each(row, [&](const Windows::Pixels& p) {
          kernels::active().averages.forward(window(p), x.data() + p.from, y.data() + p.to);
        });
    });
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    Tensor dx(windows.input());
    const Index rows = windows.output()[1], samples = windows.input()[0];
    const Index each = dx.size() / std::max<Index>(1, samples);
    const bool add = !windows.tile();
    parallel_chunks(samples, grain_rows(each), [&](Index begin, Index end) {
      if (add) std::fill(dx.data() + begin * each, dx.data() + end * each, Real(0));
      for (Index row = begin * rows; row < end * rows; ++row)
        windows.each(row, [&](const Windows::Pixels& p) {
          kernels::active().averages.backward(window(p), add, dy.data() + p.to, dx.data() + p.from);
        });
    });
    return {dx};
  }

 private:
  kernels::AverageWindow window(const Windows::Pixels& p) const {
    return {p.rows, p.columns, windows.input()[2] * windows.channels(), windows.channels(),
            Real(windows.kernel() * windows.kernel())};
  }
};

}  // namespace

Var avg_pool2d(const Var& x, const Pool2dOptions& options) {
  return apply(AvgPool2d{Windows("avg_pool2d", x.shape(), options)}, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
