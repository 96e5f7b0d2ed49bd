#include <algorithm>
#include <cmath>

#include "quant/knapsack.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

constexpr int most_rounds = 20, halvings = 60, most_exchanges = 200;

/// A packing under prices, then better ones within the limits.
class Relaxation {
 public:
  Relaxation(const std::vector<std::vector<Choice>>& items, const std::vector<Index>& limits)
      : items_(items), limits_(limits), prices_(limits.size()), chosen_(items.size()) {}

  Packing solve() {
    find_prices();
    for (int i = 0; i < most_exchanges && (exchange_one() || exchange_two()); ++i) continue;
    Packing packing{chosen_, costs(), 0, false, prices_};
    for (std::size_t k = 0; k < items_.size(); ++k) packing.loss += items_[k][chosen_[k]].loss;
    return packing;
  }

 private:
  double priced(const Choice& choice) const {
    double sum = choice.loss;
    for (std::size_t l = 0; l < limits_.size(); ++l)
      sum += prices_[l] * static_cast<double>(choice.costs[l]) /
             static_cast<double>(std::max<Index>(1, limits_[l]));
    return sum;
  }

  /// Each item takes what is best at the prices; the costs of all.
  std::vector<Index> take_best() {
    for (std::size_t k = 0; k < items_.size(); ++k) {
      chosen_[k] = 0;
      for (std::size_t c = 1; c < items_[k].size(); ++c)
        if (priced(items_[k][c]) < priced(items_[k][chosen_[k]])) chosen_[k] = c;
    }
    return costs();
  }

  std::vector<Index> costs() const {
    std::vector<Index> sums(limits_.size());
    for (std::size_t k = 0; k < items_.size(); ++k)
      for (std::size_t l = 0; l < limits_.size(); ++l) sums[l] += items_[k][chosen_[k]].costs[l];
    return sums;
  }

  bool within(const std::vector<Index>& sums) const {
    for (std::size_t l = 0; l < limits_.size(); ++l)
      if (sums[l] > limits_[l]) return false;
    return true;
  }

  /// The least price of limit l that keeps its cost within, the others as they are.
  void find_price(std::size_t l) {
    const auto fits = [&](double price) {
      prices_[l] = price;
      return take_best()[l] <= limits_[l];
    };
    if (fits(0)) return;
    double low = 0, high = 1e-9;
    while (!fits(high) && high < 1e30) high *= 4;
    for (int i = 0; i < halvings; ++i) {
      const double middle = (low + high) / 2;
      (fits(middle) ? high : low) = middle;
    }
    fits(high);
  }

  void find_prices() {
    for (int sweep = 0; sweep < most_rounds; ++sweep) {
      const std::vector<double> before = prices_;
      for (std::size_t l = 0; l < limits_.size(); ++l) find_price(l);
      if (prices_ == before) break;
    }
    // Dear enough, everything is at its cheapest, which is within the limits.
    while (!within(take_best()))
      for (double& price : prices_) price = std::max(2 * price, 1e-9);
  }

  bool still_within(const std::vector<Index>& sums, const Choice& from, const Choice& to) const {
    for (std::size_t l = 0; l < limits_.size(); ++l)
      if (sums[l] - from.costs[l] + to.costs[l] > limits_[l]) return false;
    return true;
  }

  const Choice& now(std::size_t k) const { return items_[k][chosen_[k]]; }

  /// The best change of one item, if there is one.
  bool exchange_one() {
    const std::vector<Index> sums = costs();
    double best = 0;
    std::size_t item = 0, to = 0;
    for (std::size_t k = 0; k < items_.size(); ++k)
      for (std::size_t c = 0; c < items_[k].size(); ++c) {
        const double gain = now(k).loss - items_[k][c].loss;
        if (gain <= best || !still_within(sums, now(k), items_[k][c])) continue;
        best = gain;
        item = k;
        to = c;
      }
    if (best > 0) chosen_[item] = to;
    return best > 0;
  }

  /// The first pair of changes that is better together: one up, the other down.
  bool exchange_two() {
    const std::vector<Index> sums = costs();
    for (std::size_t k = 0; k < items_.size(); ++k)
      for (std::size_t c = 0; c < items_[k].size(); ++c) {
        const double gain = now(k).loss - items_[k][c].loss;
        if (gain <= 0) continue;
        std::vector<Index> after = sums;
        for (std::size_t l = 0; l < limits_.size(); ++l)
          after[l] += items_[k][c].costs[l] - now(k).costs[l];
        if (pay_for(k, c, gain, after)) return true;
      }
    return false;
  }

  /// Another item that pays for the change of `k`, for less than it gains.
  bool pay_for(std::size_t k, std::size_t choice, double gain, const std::vector<Index>& sums) {
    std::size_t item = items_.size(), to = 0;
    for (std::size_t j = 0; j < items_.size(); ++j)
      for (std::size_t c = 0; c < items_[j].size(); ++c) {
        const double left = gain - (items_[j][c].loss - now(j).loss);
        if (j == k || left <= best_left(item, to, gain)) continue;
        if (!still_within(sums, now(j), items_[j][c])) continue;
        item = j;
        to = c;
      }
    if (item == items_.size()) return false;
    chosen_[k] = choice;
    chosen_[item] = to;
    return true;
  }

  double best_left(std::size_t item, std::size_t to, double gain) const {
    constexpr double noise = 1e-12;  // exchanges that only rounding errors pay for
    if (item == items_.size()) return noise * gain;
    return gain - (items_[item][to].loss - now(item).loss);
  }

  const std::vector<std::vector<Choice>>& items_;
  const std::vector<Index>& limits_;
  std::vector<double> prices_;
  std::vector<std::size_t> chosen_;
};

}  // namespace

Packing pack_relaxed(const std::vector<std::vector<Choice>>& items,
                     const std::vector<Index>& limits) {
  return Relaxation(items, limits).solve();
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
