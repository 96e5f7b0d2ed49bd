#include "core/elementwise.hpp"
#include "core/kernels/kernels.hpp"
#include "core/ops.hpp"

/// y[..., i] = e^x[..., i] / sum over j of e^x[..., j].
///
///   dL/dx[i] = y[i] (dL/dy[i] - sum over j of dL/dy[j] y[j])
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Softmax {
  static constexpr std::string_view name = "softmax";
  Tensor y = {};

  Tensor forward(const Tensor& x) {
    y = Tensor(x.shape());
    const Index width = x.dim(-1);
    parallel_chunks(x.size() / width, grain_rows(8 * width), [&](Index begin, Index end) {
      const auto& row = kernels::active().exponentials;
      for (Index r = begin; r < end; ++r) {
        const Real* from = x.data() + r * width;
        Real* to = y.data() + r * width;
        const Real sum = row.of_row(from, row.largest(from, width), to, width);
        for (Index i = 0; i < width; ++i) to[i] /= sum;
      }
    });
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    Tensor dx(y.shape());
    const Index width = y.dim(-1);
    parallel_chunks(y.size() / width, grain_rows(width), [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        const Real *d = dy.data() + r * width, *p = y.data() + r * width;
        Real dot = 0;
        for (Index i = 0; i < width; ++i) dot += d[i] * p[i];
        for (Index i = 0; i < width; ++i) dx[r * width + i] = p[i] * (d[i] - dot);
      }
    });
    return {dx};
  }
};

}  // namespace

Var softmax(const Var& x) {
  check(x.value().rank() > 0 && x.value().dim(-1) > 0, "[softmax] nothing to choose from: got x ",
        x.shape(), "; expected x[..., classes], classes > 0");
  return apply(Softmax{}, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
