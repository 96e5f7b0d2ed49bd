#include <cmath>

#include "core/elementwise.hpp"
#include "core/kernels/kernels.hpp"
#include "core/ops.hpp"

/// y[..., i] = x[..., i] - log(sum over j of e^x[..., j]), where the largest x of a
/// row is taken out first, so that nothing overflows or is rounded away.
///
///   dL/dx[i] = dL/dy[i] - e^y[i] sum over j of dL/dy[j]
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct LogSoftmax {
  static constexpr std::string_view name = "log_softmax";
  Tensor y = {};

  Tensor forward(const Tensor& x) {
    y = Tensor(x.shape());
    const Index width = x.dim(-1);
    parallel_chunks(x.size() / width, grain_rows(8 * width), [&](Index begin, Index end) {
      const auto& row = kernels::active().exponentials;
      for (Index r = begin; r < end; ++r) {
        const Real* from = x.data() + r * width;
        Real* to = y.data() + r * width;
        const Real top = row.largest(from, width);
        const Real log_sum = std::log(row.of_row(from, top, to, width));
        for (Index i = 0; i < width; ++i) to[i] = (from[i] - top) - log_sum;
      }
    });
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    Tensor dx(y.shape());
    const Index width = y.dim(-1);
    parallel_chunks(y.size() / width, grain_rows(8 * width), [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        const Real* from = dy.data() + r * width;
        Real* to = dx.data() + r * width;
        kernels::active().exponentials.of_row(y.data() + r * width, 0, to, width);
        Real sum = 0;
        for (Index i = 0; i < width; ++i) sum += from[i];
        for (Index i = 0; i < width; ++i) to[i] = from[i] - to[i] * sum;
      }
    });
    return {dx};
  }
};

}  // namespace

Var log_softmax(const Var& x) {
  check(x.value().rank() > 0 && x.value().dim(-1) > 0,
        "[log_softmax] nothing to choose from: got x ", x.shape(),
        "; expected x[..., classes], classes > 0");
  return apply(LogSoftmax{}, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
