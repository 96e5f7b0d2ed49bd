// Average pooling, channels in lanes.

#include "core/kernels/vector.hpp"

namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS {
namespace {

template <class V>
[[gnu::always_inline]] inline void mean_of(const AverageWindow& w, const Real* x, Real* y) {
  V sum{};
  for (Index r = 0; r < w.rows; ++r)
    for (Index s = 0; s < w.columns; ++s) sum += read<V>(x + r * w.pitch + s * w.C);
  write<V>(y, sum / w.count);
}

template <class V, bool add>
[[gnu::always_inline]] inline void spread(const AverageWindow& w, const Real* dy, Real* dx) {
  const V share = read<V>(dy) / w.count;
  for (Index r = 0; r < w.rows; ++r)
    for (Index s = 0; s < w.columns; ++s) {
      Real* to = dx + r * w.pitch + s * w.C;
      write<V>(to, add ? read<V>(to) + share : share);
    }
}

template <bool add>
void spread_channels(const AverageWindow& w, const Real* dy, Real* dx) {
  Index c = 0;
  for (; c + L <= w.C; c += L) spread<Vector, add>(w, dy + c, dx + c);
  for (; c + lanes_of<Short> <= w.C; c += lanes_of<Short>) spread<Short, add>(w, dy + c, dx + c);
  for (; c < w.C; ++c) spread<Real, add>(w, dy + c, dx + c);
}

}  // namespace

void averages_forward(const AverageWindow& window, const Real* x, Real* y) {
  const AverageWindow w = window;
  Index c = 0;
  for (; c + L <= w.C; c += L) mean_of<Vector>(w, x + c, y + c);
  for (; c + lanes_of<Short> <= w.C; c += lanes_of<Short>) mean_of<Short>(w, x + c, y + c);
  for (; c < w.C; ++c) mean_of<Real>(w, x + c, y + c);
}

void averages_backward(const AverageWindow& window, bool add, const Real* dy, Real* dx) {
  const AverageWindow w = window;
  add ? spread_channels<true>(w, dy, dx) : spread_channels<false>(w, dy, dx);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::kernels::FRAQAT_KERNELS
