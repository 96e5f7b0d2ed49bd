#include <algorithm>

#include "quant/ops.hpp"

/// The two candidate widths around b: p_below = 1 - f, p_above = f with
/// f = (b - below) / (above - below) in [0, 1).
///
///   dL/db = (dL/dp_above - dL/dp_below) / (above - below)
///
/// A b at a candidate counts as just above it (at the last one as just below),
/// because both weights of a candidate met exactly would be the same one, and
/// the gradient zero by construction (FracBits, Yang and Jin, 2021).
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct NeighbourWeights {
  static constexpr std::string_view name = "neighbour_weights";
  quant::Widths widths;
  Index below = 0;
  Shape shape = {};

  Tensor forward(const Tensor& bits) {
    shape = bits.shape();
    const Real b = std::clamp(bits[0], Real(widths.lowest()), Real(widths.highest()));
    while (below + 2 < widths.count() && Real(at(below + 1)) <= b) ++below;
    const Real f = (b - Real(at(below))) / gap();
    Tensor p({widths.count()}, Real(0));
    p[below] = 1 - f;
    p[below + 1] = f;
    return p;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    return {Tensor(shape, (dy[below + 1] - dy[below]) / gap())};
  }

 private:
  int at(Index j) const { return widths[static_cast<int>(j)]; }
  Real gap() const { return Real(at(below + 1) - at(below)); }
};

}  // namespace

Var neighbour_weights(const Var& bits, const quant::Widths& widths) {
  check(bits.value().size() == 1, "[neighbour_weights] one bit-width wanted: got shape ",
        bits.shape(), "; expected one element");
  check(widths.count() >= 2, "[neighbour_weights] nothing to choose from: got ", widths.count(),
        " candidate width; expected at least 2");
  return apply(NeighbourWeights{widths}, bits);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
