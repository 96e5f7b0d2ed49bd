#include "core/elementwise.hpp"
#include "core/kernels/kernels.hpp"
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
    const Index channels = shape[3], image = shape[1] * shape[2] * channels;
    Tensor y({shape[0], channels});
    parallel_chunks(shape[0], grain_rows(image), [&](Index begin, Index end) {
      for (Index n = begin; n < end; ++n)
        kernels::active().averages.forward(window(), x.data() + n * image, y.data() + n * channels);
    });
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    const Index channels = shape[3], image = shape[1] * shape[2] * channels;
    Tensor dx(shape);
    parallel_chunks(shape[0], grain_rows(image), [&](Index begin, Index end) {
      for (Index n = begin; n < end; ++n)
        kernels::active().averages.backward(window(), false, dy.data() + n * channels,
                                            dx.data() + n * image);
    });
    return {dx};
  }

 private:
  kernels::AverageWindow window() const {
    const Index pixels = shape[1] * shape[2];
    return {1, pixels, 0, shape[3], Real(pixels)};
  }
};

}  // namespace

Var global_avg_pool(const Var& x) {
  check(x.value().rank() == 4 && x.value().dim(1) * x.value().dim(2) > 0,
        "[global_avg_pool] no image: got x ", x.shape(), "; expected x[N, H, W, C], H and W > 0");
  return apply(GlobalAvgPool{}, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
