#include <algorithm>

#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y[n, c] = (sum over h, w of x[n, h, w, c]) / (H W).
///
///   dL/dx[n, h, w, c] = dL/dy[n, c] / (H W)
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct GlobalAvgPool {
  static constexpr std::string_view name = "global_avg_pool";
  Shape shape = {};

  Tensor forward(const Tensor& x) {
    shape = x.shape();
    const Index pixels = shape[1] * shape[2], channels = shape[3];
    Tensor y({shape[0], channels});
    parallel_chunks(shape[0], grain_rows(pixels * channels), [&](Index begin, Index end) {
      std::fill(y.data() + begin * channels, y.data() + end * channels, Real(0));
      for (Index n = begin; n < end; ++n) {
        Real* __restrict__ out = y.data() + n * channels;
        const Real* in = x.data() + n * pixels * channels;
        for (Index p = 0; p < pixels; ++p)
          for (Index c = 0; c < channels; ++c) out[c] += in[p * channels + c];
        for (Index c = 0; c < channels; ++c) out[c] /= Real(pixels);
      }
    });
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    const Index pixels = shape[1] * shape[2], channels = shape[3];
    Tensor dx(shape);
    parallel_chunks(shape[0], grain_rows(pixels * channels), [&](Index begin, Index end) {
      for (Index n = begin; n < end; ++n) {
        const Real* in = dy.data() + n * channels;
        Real* __restrict__ out = dx.data() + n * pixels * channels;
        for (Index p = 0; p < pixels; ++p)
          for (Index c = 0; c < channels; ++c) out[p * channels + c] = in[c] / Real(pixels);
      }
    });
    return {dx};
  }
};

}  // namespace

Var global_avg_pool(const Var& x) {
  check(x.value().rank() == 4 && x.value().dim(1) * x.value().dim(2) > 0,
        "[global_avg_pool] no image: got x ", x.shape(), "; expected x[N, H, W, C], H and W > 0");
  return apply(GlobalAvgPool{}, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
