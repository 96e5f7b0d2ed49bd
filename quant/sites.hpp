#pragma once

#include <string>
#include <vector>

#include "quant/quantizer.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// Where a bit-width is: a tensor, or, where every row of it has one of its own, a row.
/// What searches, prices and rounds widths counts by sites.
struct Site {
  Quantizer* quantizer;
  Index row;
  Index elements;

  /// "conv1.weight_q", or "conv1.weight_q[3]".
  std::string name() const;

  double bits() const { return quantizer->bits().bits(row); }
};

/// The sites of all quantizers, in their order.
std::vector<Site> sites_of(const std::vector<Quantizer*>& quantizers);

/// Of each quantizer, the position of its first site.
std::vector<std::size_t> first_sites(const std::vector<Quantizer*>& quantizers);

/// The width that evaluation uses, of each site.
std::vector<Width> hard_widths(const std::vector<Quantizer*>& quantizers);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
