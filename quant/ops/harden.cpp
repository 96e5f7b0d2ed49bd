#include "quant/ops.hpp"

/// y = one-hot at `index`.      dL/dp = dL/dy: straight through.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Harden {
  static constexpr std::string_view name = "harden";
  Index index;

  void describe(Attributes& a) const { a("index", index); }

  Tensor forward(const Tensor& p) {
    Tensor y(p.shape(), Real(0));
    y[index] = 1;
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const { return {dy}; }
};

}  // namespace

Var harden(const Var& p, Index index) {
  check(p.value().rank() == 1 && index >= 0 && index < p.value().size(),
        "[harden] no such candidate: got ", index, " of p ", p.shape(),
        "; expected a vector and a position in it");
  return apply(Harden{index}, p);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
