#include "core/blas.hpp"
#include "core/ops.hpp"

/// y[m, n] = a[m, k] b[k, n].
///
///   dL/da = dL/dy b^T      dL/db = a^T dL/dy
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Matmul {
  static constexpr std::string_view name = "matmul";
  Tensor a = {}, b = {};

  Tensor forward(const Tensor& first, const Tensor& second) {
    a = first;
    b = second;
    const Index m = a.dim(0), k = a.dim(1), n = b.dim(1);
    Tensor y({m, n});
    blas::gemm(blas::Op::none, blas::Op::none, m, n, k, 1, a.data(), k, b.data(), n, 0, y.data(),
               n);
    return y;
  }

  std::array<Tensor, 2> backward(const Tensor& dy, Needs<2> needs) const {
    const Index m = a.dim(0), k = a.dim(1), n = b.dim(1);
    std::array<Tensor, 2> gradients;
    if (needs[0]) {
      gradients[0] = Tensor(a.shape());
      blas::gemm(blas::Op::none, blas::Op::transpose, m, k, n, 1, dy.data(), n, b.data(), n, 0,
                 gradients[0].data(), k);
    }
    if (needs[1]) {
      gradients[1] = Tensor(b.shape());
      blas::gemm(blas::Op::transpose, blas::Op::none, k, n, m, 1, a.data(), k, dy.data(), n, 0,
                 gradients[1].data(), n);
    }
    return gradients;
  }
};

}  // namespace

Var matmul(const Var& a, const Var& b) {
  check(a.value().rank() == 2 && b.value().rank() == 2, "[matmul] not two matrices: got ",
        a.shape(), " and ", b.shape(), "; expected a[m, k] and b[k, n]");
  check(a.value().dim(1) == b.value().dim(0), "[matmul] inner sizes differ: got ", a.shape(),
        " and ", b.shape(), "; expected a[m, k] and b[k, n]");
  return apply(Matmul{}, a, b);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
