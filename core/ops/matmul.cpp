#include <algorithm>

#include "core/blas.hpp"
#include "core/ops.hpp"
#include "core/parallel.hpp"
#include "core/strided.hpp"

/// y[..., m, n] = A B with A[m, k] = a[..., m, k] or, transposed, a[..., k, m]^T,
/// and B[k, n] likewise.  The dimensions before the last two are the batch: they
/// are aligned at the end, and an operand repeats where it has 1 or none.
///
///   dL/dA = dL/dy B^T      dL/db = A^T dL/dy      (transposed where a, b are)
///
/// each summed, in order, over the products of the batch that the matrix is in.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

constexpr blas::Op as_is = blas::Op::none, turned = blas::Op::transpose;

Index batch_extent(const Shape& shape, int from_end) {
  return from_end < shape.rank() ? shape[-1 - from_end] : 1;
}

Index matrices(const Shape& shape) { return shape.size() / (shape[-1] * shape[-2]); }

// Which matrix of an operand takes part in product j of the batch of y.
Index matrix(const Shape& operand, const Shape& y, Index j) {
  Index at = 0, step = 1;
  for (int d = 2; d < y.rank(); j /= y[-1 - d++]) {
    const Index extent = batch_extent(operand, d);
    if (extent > 1) at += j % y[-1 - d] * step;
    step *= extent;
  }
  return at;
}

// Calls product(i, j, beta) for every product j and the matrix i of `to` that it
// is a part of: in order of j for each i, beta 0 for the first.
template <class Product>
void each_product(const Shape& y, const Shape& to, Product product) {
  constexpr Index enough = 4;  // matrices, to share them out instead of their tiles
  const Index products = matrices(y), count = matrices(to);
  const auto sum = [&](Index i) {
    if (count == products) return product(i, i, Real(0));
    Real beta = 0;
    for (Index j = 0; j < products; ++j) {
      if (matrix(to, y, j) != i) continue;
      product(i, j, beta);
      beta = 1;
    }
  };
  if (count >= enough) return parallel_for(count, sum);
  for (Index i = 0; i < count; ++i) sum(i);
}

struct Matmul {
  static constexpr std::string_view name = "matmul";
  MatmulOptions turn;
  Shape shape;  // of y
  Tensor a = {}, b = {};

  void describe(Attributes& attributes) const {
    attributes("transpose_a", turn.transpose_a);
    attributes("transpose_b", turn.transpose_b);
  }

  Tensor forward(const Tensor& first, const Tensor& second) {
    a = first;
    b = second;
    Tensor y(shape);
    each_product(shape, shape, [&](Index i, Index j, Real beta) {
      blas::gemm(turn.transpose_a ? turned : as_is, turn.transpose_b ? turned : as_is, m(), n(),
                 k(), 1, a_of(j), a.dim(-1), b_of(j), b.dim(-1), beta, y.data() + i * m() * n(),
                 n());
    });
    return y;
  }

  std::array<Tensor, 2> backward(const Tensor& dy, Needs<2> needs) const {
    std::array<Tensor, 2> gradients;
    if (needs[0]) gradients[0] = a_gradient(dy);
    if (needs[1]) gradients[1] = b_gradient(dy);
    return gradients;
  }

 private:
  Index m() const { return shape[-2]; }
  Index n() const { return shape[-1]; }
  Index k() const { return a.dim(turn.transpose_a ? -2 : -1); }
  const Real* a_of(Index j) const { return a.data() + matrix(a.shape(), shape, j) * m() * k(); }
  const Real* b_of(Index j) const { return b.data() + matrix(b.shape(), shape, j) * k() * n(); }

  Tensor a_gradient(const Tensor& dy) const {
    Tensor da(a.shape());
    each_product(shape, a.shape(), [&](Index i, Index j, Real beta) {
      const Real* d = dy.data() + j * m() * n();
      Real* to = da.data() + i * m() * k();
      if (turn.transpose_a)
        blas::gemm(turn.transpose_b ? turned : as_is, turned, k(), m(), n(), 1, b_of(j), b.dim(-1),
                   d, n(), beta, to, m());
      else
        blas::gemm(as_is, turn.transpose_b ? as_is : turned, m(), k(), n(), 1, d, n(), b_of(j),
                   b.dim(-1), beta, to, k());
    });
    return da;
  }

  Tensor b_gradient(const Tensor& dy) const {
    Tensor db(b.shape());
    each_product(shape, b.shape(), [&](Index i, Index j, Real beta) {
      const Real* d = dy.data() + j * m() * n();
      Real* to = db.data() + i * k() * n();
      if (turn.transpose_b)
        blas::gemm(turned, turn.transpose_a ? turned : as_is, n(), k(), m(), 1, d, n(), a_of(j),
                   a.dim(-1), beta, to, k());
      else
        blas::gemm(turn.transpose_a ? as_is : turned, as_is, k(), n(), m(), 1, a_of(j), a.dim(-1),
                   d, n(), beta, to, n());
    });
    return db;
  }
};

// The batch of both with [m, n] behind.
Shape product_shape(const Shape& a, const Shape& b, Index m, Index n) {
  const int rank = std::max(a.rank(), b.rank());
  std::array<Index, Shape::max_rank> y{};
  const auto extent = [&](int from_behind) -> Index& {
    return y[static_cast<std::size_t>(rank - 1 - from_behind)];
  };
  extent(0) = n;
  extent(1) = m;
  for (int d = 2; d < rank; ++d) {
    const Index u = batch_extent(a, d), v = batch_extent(b, d);
    check(u == v || u == 1 || v == 1, "[matmul] batches differ: got ", a, " and ", b,
          "; expected equal extents before the last two, or 1");
    extent(d) = std::max(u, v);
  }
  return Shape{std::span(y).first(static_cast<std::size_t>(rank))};
}

}  // namespace

Var matmul(const Var& a, const Var& b, const MatmulOptions& turn) {
  check(a.value().rank() >= 2 && b.value().rank() >= 2, "[matmul] not two matrices: got ",
        a.shape(), " and ", b.shape(), "; expected a[..., m, k] and b[..., k, n]");
  const Shape &u = a.shape(), &v = b.shape();
  check(u[turn.transpose_a ? -2 : -1] == v[turn.transpose_b ? -1 : -2],
        "[matmul] inner sizes differ: got ", u, turn.transpose_a ? " transposed" : "", " and ", v,
        turn.transpose_b ? " transposed" : "", "; expected a[..., m, k] and b[..., k, n]");
  check_not_empty("matmul", std::array{&a, &b});  // here, lest reshape does so in its own name

  if (u.rank() > 2 && v.rank() == 2 && !turn.transpose_a) {  // the batch is more rows
    const Var rows = matmul(reshape(a, {-1, u[-1]}), b, turn);
    std::array<Index, Shape::max_rank> dims{};
    std::copy(u.dims().begin(), u.dims().end(), dims.begin());
    dims[static_cast<std::size_t>(u.rank()) - 1] = rows.shape()[-1];
    return reshape(rows, dims, u.rank());
  }
  const Shape y = product_shape(u, v, u[turn.transpose_a ? -1 : -2], v[turn.transpose_b ? -2 : -1]);
  return apply(Matmul{turn, y}, a, b);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
