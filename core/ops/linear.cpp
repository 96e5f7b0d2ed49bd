#include <algorithm>

#include "core/blas.hpp"
#include "core/elementwise.hpp"
#include "core/ops.hpp"

/// y[n, o] = sum over i of x[n, i] w[o, i]  +  b[o].
///
///   dL/dx = dL/dy w      dL/dw = dL/dy^T x      dL/db[o] = sum over n of dL/dy[n, o]
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Linear {
  static constexpr std::string_view name = "linear";
  Tensor x = {}, w = {};

  Tensor forward(const Tensor& input, const Tensor& weight, const Tensor& bias) {
    x = input;
    w = weight;
    const Index n = x.dim(0), in = x.dim(1), out = w.dim(0);
    Tensor y({n, out});
    if (bias)
      parallel_chunks(n, grain_rows(out), [&](Index begin, Index end) {
        for (Index r = begin; r < end; ++r) std::copy_n(bias.data(), out, y.data() + r * out);
      });
    blas::gemm(blas::Op::none, blas::Op::transpose, n, out, in, 1, x.data(), in, w.data(), in,
               bias ? 1 : 0, y.data(), out);
    return y;
  }

  std::array<Tensor, 3> backward(const Tensor& dy, Needs<3> needs) const {
    const Index n = x.dim(0), in = x.dim(1), out = w.dim(0);
    std::array<Tensor, 3> gradients;
    if (needs[0]) {
      gradients[0] = Tensor(x.shape());
      blas::gemm(blas::Op::none, blas::Op::none, n, in, out, 1, dy.data(), out, w.data(), in, 0,
                 gradients[0].data(), in);
    }
    if (needs[1]) {
      gradients[1] = Tensor(w.shape());
      blas::gemm(blas::Op::transpose, blas::Op::none, out, in, n, 1, dy.data(), out, x.data(), in,
                 0, gradients[1].data(), in);
    }
    if (needs[2]) gradients[2] = column_sums(dy);
    return gradients;
  }
};

}  // namespace

Var linear(const Var& x, const Var& weight, const Var& bias) {
  check(x.value().rank() == 2 && weight.value().rank() == 2, "[linear] not two matrices: got x ",
        x.shape(), ", weight ", weight.shape(), "; expected x[n, in] and weight[out, in]");
  check(x.value().dim(1) == weight.value().dim(1), "[linear] inner sizes differ: got x ", x.shape(),
        ", weight ", weight.shape(), "; expected x[n, in] and weight[out, in]");
  check(!bias || bias.shape() == Shape{weight.value().dim(0)}, "[linear] wrong bias: got ",
        bias.shape(), "; expected ", Shape{weight.value().dim(0)}, " for weight ", weight.shape());
  return apply(Linear{}, x, weight, bias);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
