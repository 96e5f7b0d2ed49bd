#include <algorithm>

#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y[n, i, j, c] = average of x[n, h, w, c] over window (i, j): rows floor(i H / P)
/// to ceil((i + 1) H / P) of H, where P is the height of y, and columns likewise.
///
///   dL/dx[n, h, w, c] = sum of dL/dy[n, i, j, c] / size of the window (i, j)
///                       over the windows it is in
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct AdaptiveAvgPool2d {
  static constexpr std::string_view name = "adaptive_avg_pool2d";
  Shape from, to;

  void describe(Attributes& a) const {
    a("height", to[1]);
    a("width", to[2]);
  }

  Tensor forward(const Tensor& x) const {
    Tensor y(to);
    const Index channels = to[3];
    parallel_chunks(to[0], grain_rows(from.size() / from[0]), [&](Index begin, Index end) {
      for (Index n = begin; n < end; ++n)
        each_window(n, [&](Index at, Index size, auto each_pixel) {
          Real* __restrict__ sums = y.data() + at;
          std::fill_n(sums, channels, Real(0));
          each_pixel([&](Index pixel) {
            const Real* in = x.data() + pixel;
            for (Index c = 0; c < channels; ++c) sums[c] += in[c];
          });
          for (Index c = 0; c < channels; ++c) sums[c] /= Real(size);
        });
    });
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    Tensor dx(from, Real(0));
    const Index channels = to[3];
    parallel_chunks(to[0], grain_rows(from.size() / from[0]), [&](Index begin, Index end) {
      for (Index n = begin; n < end; ++n)
        each_window(n, [&](Index at, Index size, auto each_pixel) {
          const Real* d = dy.data() + at;
          each_pixel([&](Index pixel) {
            Real* __restrict__ out = dx.data() + pixel;
            for (Index c = 0; c < channels; ++c) out[c] += d[c] / Real(size);
          });
        });
    });
    return {dx};
  }

 private:
  static Index window_begin(Index i, Index size, Index windows) { return i * size / windows; }
  static Index window_end(Index i, Index size, Index windows) {
    return ((i + 1) * size + windows - 1) / windows;
  }

  // Calls body(offset in y, pixels, each_pixel) for every window of sample n;
  // each_pixel(f) calls f(offset in x).
  template <class Body>
  void each_window(Index n, Body body) const {
    for (Index i = 0; i < to[1]; ++i)
      for (Index j = 0; j < to[2]; ++j) {
        const Index top = window_begin(i, from[1], to[1]), bottom = window_end(i, from[1], to[1]);
        const Index left = window_begin(j, from[2], to[2]), right = window_end(j, from[2], to[2]);
        body(((n * to[1] + i) * to[2] + j) * to[3], (bottom - top) * (right - left), [&](auto f) {
          for (Index h = top; h < bottom; ++h)
            for (Index w = left; w < right; ++w) f(((n * from[1] + h) * from[2] + w) * from[3]);
        });
      }
  }
};

}  // namespace

Var adaptive_avg_pool2d(const Var& x, Index height, Index width) {
  const Shape& from = x.shape();
  check(from.rank() == 4, "[adaptive_avg_pool2d] no image: got x ", from,
        "; expected x[N, H, W, C]");
  check(height > 0 && width > 0, "[adaptive_avg_pool2d] impossible size: got ", height, " x ",
        width, "; expected 1 x 1 or more");
  return apply(AdaptiveAvgPool2d{from, {from[0], height, width, from[3]}}, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
