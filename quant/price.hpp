#pragma once

#include <span>
#include <vector>

#include "quant/cost.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// Training with a given price instead of a budget: the loss gets
///
///   lambda sum_k w_k b_k^p
///
/// over the sites of learned widths.  w_k is 1, or what a bit of the site costs.
struct Price {
  double lambda = 0;
  double power = 1;                  // p: 1 linear, 2 quadratic
  std::vector<double> weights = {};  // w_k, by site; empty: 1

  /// The price on the tape; an Error if no width is learned.
  Var on_tape(const std::vector<Quantizer*>& all) const;
};

/// Sets the weights of a price to the slopes of `costs`, added up, at the present widths, each in
/// units of its scale(), so that lambdas of different costs compare.
void weigh(Price& price, std::span<const Cost> costs, const std::vector<Site>& all);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
