#include "quant/price.hpp"

#include <utility>

namespace fraqat::inline FRAQAT_PRECISION::quant {

Var Price::on_tape(const std::vector<Quantizer*>& all) const {
  Var total;
  std::size_t site = 0;  // the first of the quantizer
  for (Quantizer* q : all) {
    const std::size_t first =
        std::exchange(site, site + static_cast<std::size_t>(q->width_count()));
    const Var b = q->bits().bits_on_tape();
    if (!b) continue;
    Var cost = power == 1 ? b : power == 2 ? op::mul(b, b) : op::pow(b, static_cast<Real>(power));
    if (!weights.empty()) {
      Tensor of_rows(b.shape());
      for (Index row = 0; row < of_rows.size(); ++row)
        of_rows[row] = static_cast<Real>(weights[first + static_cast<std::size_t>(row)]);
      cost = op::mul(cost, Var(of_rows));
    }
    cost = op::sum(cost);
    total = total ? op::add(total, cost) : cost;
  }
  check(static_cast<bool>(total),
        "[search] a price of bits, but no width is learned; try quant.*.bits");
  return op::mul(total, Var(Tensor::scalar(static_cast<Real>(lambda))));
}

void weigh(Price& price, std::span<const Cost> costs, const std::vector<Site>& all) {
  std::vector<double> widths;
  for (const Site& site : all) widths.push_back(site.bits());
  price.weights.assign(all.size(), 0);
  for (const Cost& cost : costs) {
    const std::vector<double> slopes = cost.slopes(widths);
    const double scale = cost.scale();
    for (std::size_t k = 0; k < all.size(); ++k) price.weights[k] += slopes[k] / scale;
  }
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
