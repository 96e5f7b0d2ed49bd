#pragma once

#include <vector>

#include "core/real.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// One way to treat an item: what it loses, and what it costs of each limit.
struct Choice {
  double loss = 0;
  std::vector<Index> costs;
};

struct Packing {
  std::vector<std::size_t> chosen;  // one for each item
  std::vector<Index> costs;         // one for each limit
  double loss = 0;
  bool exact = true;                // no other packing is better
  std::vector<double> prices = {};  // of the relaxation: loss for each limit as a whole
};

/// The choices of least total loss whose costs are within all limits; among equal
/// ones, the cheaper.  One choice of each item must be the cheapest in every limit,
/// as the smallest width is.
///
/// Dynamic programming over the items, keeping every state that no other dominates and
/// that may still become better than the relaxation.
/// With one limit and at most 200 items, if the best packing uses less than 99 % of it, a
/// fuller one is taken, if there is any: the best of those that were kept, one for each 1/512 of
/// the limit at every item.  With several limits, or more items, and more
/// than ten thousand states it becomes a relaxation: prices on the limits, found by bisection,
/// then exchanges of one or two choices until none is better; `exact` tells.
///
/// An Error if nothing is within the limits.
Packing pack(const std::vector<std::vector<Choice>>& items, const std::vector<Index>& limits);

/// The relaxation alone.
Packing pack_relaxed(const std::vector<std::vector<Choice>>& items,
                     const std::vector<Index>& limits);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
