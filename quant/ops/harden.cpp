#include <cmath>

#include "quant/ops.hpp"

/// y = one-hot at `index`, in every row.      dL/dp = dL/dy: straight through.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Harden {
  static constexpr std::string_view name = "harden";
  Tensor index;  // of each row

  void describe(Attributes& a) const { a("index", index); }

  Tensor forward(const Tensor& p) {
    Tensor y(p.shape(), Real(0));
    for (Index row = 0; row < index.size(); ++row)
      y[row * p.dim(-1) + static_cast<Index>(index[row])] = 1;
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const { return {dy}; }
};

}  // namespace

Var harden(const Var& p, Index index) {
  check(p.value().rank() == 1 && index >= 0 && index < p.value().size(),
        "[harden] no such candidate: got ", index, " of p ", p.shape(),
        "; expected a vector and a position in it");
  return apply(Harden{Tensor({1}, static_cast<Real>(index))}, p);
}

Var harden(const Var& p, const Tensor& index) {
  check(p.value().rank() == 2 && index.shape() == Shape({p.value().dim(0)}),
        "[harden] one position for each row: got ", index.shape(), " of p ", p.shape(),
        "; expected [R] of [R, J]");
  for (const Real at : index.span())
    check(at >= 0 && at < static_cast<Real>(p.value().dim(1)) && at == std::floor(at),
          "[harden] no such candidate: got ", at, " of p ", p.shape(),
          "; expected a position in its rows");
  return apply(Harden{index}, p);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
