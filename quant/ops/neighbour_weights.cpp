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
  Tensor below = {};  // of each row
  Shape shape = {};

  Tensor forward(const Tensor& bits) {
    shape = bits.shape();
    const Index rows = bits.size(), count = widths.count();
    below = Tensor({rows}, Real(0));
    Tensor p(rows == 1 ? Shape({count}) : Shape({rows, count}), Real(0));
    for (Index row = 0; row < rows; ++row) {
      const Real b = std::clamp(bits[row], Real(widths.lowest()), Real(widths.highest()));
      Index j = 0;
      while (j + 2 < count && Real(at(j + 1)) <= b) ++j;
      const Real f = (b - Real(at(j))) / gap(j);
      p[row * count + j] = 1 - f;
      p[row * count + j + 1] = f;
      below[row] = static_cast<Real>(j);
    }
    return p;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    Tensor dbits(shape);
    for (Index row = 0; row < dbits.size(); ++row) {
      const auto j = static_cast<Index>(below[row]);
      const Real* of_row = dy.data() + row * widths.count();
      dbits[row] = (of_row[j + 1] - of_row[j]) / gap(j);
    }
    return {dbits};
  }

 private:
  int at(Index j) const { return widths[static_cast<int>(j)]; }
  Real gap(Index j) const { return Real(at(j + 1) - at(j)); }
};

}  // namespace

Var neighbour_weights(const Var& bits, const quant::Widths& widths) {
  check(bits.value().size() == 1 || bits.value().rank() == 1,
        "[neighbour_weights] one bit-width for each row wanted: got shape ", bits.shape(),
        "; expected [R], or one element");
  check(widths.count() >= 2, "[neighbour_weights] nothing to choose from: got ", widths.count(),
        " candidate width; expected at least 2");
  return apply(NeighbourWeights{widths}, bits);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
