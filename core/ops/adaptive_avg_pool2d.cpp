#include <algorithm>

#include "core/elementwise.hpp"
#include "core/kernels/kernels.hpp"
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
    parallel_chunks(to[0], grain_rows(from.size() / from[0]), [&](Index begin, Index end) {
      for (Index n = begin; n < end; ++n)
        each_window(n, [&](Index at, Index pixel, const kernels::AverageWindow& window) {
          kernels::active().averages.forward(window, x.data() + pixel, y.data() + at);
        });
    });
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    Tensor dx(from);
    const bool overlap = from[1] % to[1] != 0 || from[2] % to[2] != 0;
    const Index image = from.size() / from[0];
    parallel_chunks(to[0], grain_rows(image), [&](Index begin, Index end) {
      if (overlap) std::fill(dx.data() + begin * image, dx.data() + end * image, Real(0));
      for (Index n = begin; n < end; ++n)
        each_window(n, [&](Index at, Index pixel, const kernels::AverageWindow& window) {
          kernels::active().averages.backward(window, overlap, dy.data() + at, dx.data() + pixel);
        });
    });
    return {dx};
  }

 private:
  static Index window_begin(Index i, Index size, Index windows) { return i * size / windows; }
  static Index window_end(Index i, Index size, Index windows) {
    return ((i + 1) * size + windows - 1) / windows;
  }

  // Calls body(offset in y, offset in x, window) for every window of sample n.
  template <class Body>
  void each_window(Index n, Body body) const {
    const Index C = to[3];
    for (Index i = 0; i < to[1]; ++i)
      for (Index j = 0; j < to[2]; ++j) {
        const Index top = window_begin(i, from[1], to[1]), left = window_begin(j, from[2], to[2]);
        const Index rows = window_end(i, from[1], to[1]) - top;
        const Index columns = window_end(j, from[2], to[2]) - left;
        body(((n * to[1] + i) * to[2] + j) * C, ((n * from[1] + top) * from[2] + left) * C,
             {rows, columns, from[2] * C, C, Real(rows * columns)});
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
