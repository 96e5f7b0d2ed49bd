#pragma once

#include <numeric>
#include <vector>

#include "quant/rounding.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// Which things belong together.
class Union {
 public:
  explicit Union(std::size_t count) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
  }
  std::size_t of(std::size_t i) const {
    while (parent_[i] != i) i = parent_[i];
    return i;
  }
  /// The smaller number stands for both.
  void join(std::size_t a, std::size_t b) {
    a = of(a);
    b = of(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::size_t> parent_;
};

/// Items with coupled ones sharing their allowed widths; an Error if two have none in common.
std::vector<RoundingItem> coupled(std::vector<RoundingItem> items, const Couples& couples,
                                  const Union& together);

/// The learned width of all tensors coupled to `leader`, weighted by size.
double mean_bits(const std::vector<RoundingItem>& items, const Union& together, std::size_t leader);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
