#include "quant/coupling.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

std::vector<RoundingItem> coupled(std::vector<RoundingItem> items, const Couples& couples,
                                  const Union& together) {
  for (const auto& [a, b] : couples) {
    std::vector<Width> common;
    for (const Width& bits : items[a].allowed)
      if (std::find(items[b].allowed.begin(), items[b].allowed.end(), bits) !=
          items[b].allowed.end())
        common.push_back(bits);
    check(!common.empty(), "[round] ", items[a].name, " and ", items[b].name,
          " must have the same width: got no allowed width that both have; expected one; try "
          "round.couple_adds = false, or the same allowed widths");
    for (const std::size_t k : {a, b})
      for (std::size_t i = 0; i < items.size(); ++i)
        if (together.of(i) == together.of(k)) {
          RoundingItem& item = items[i];
          RoundingItem kept = item;
          kept.allowed.clear();
          kept.losses.clear();
          for (std::size_t j = 0; j < item.allowed.size(); ++j)
            if (std::find(common.begin(), common.end(), item.allowed[j]) != common.end()) {
              kept.allowed.push_back(item.allowed[j]);
              kept.losses.push_back(item.loss(j));
            }
          item = std::move(kept);
        }
  }
  return items;
}

double mean_bits(const std::vector<RoundingItem>& items, const Union& together,
                 std::size_t leader) {
  double bits = 0, elements = 0;
  for (std::size_t k = leader; k < items.size(); ++k)
    if (together.of(k) == leader) {
      const auto n = std::max(1.0, static_cast<double>(items[k].elements));
      bits += n * items[k].bits;
      elements += n;
    }
  return bits / elements;
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
