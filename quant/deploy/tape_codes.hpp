#pragma once

#include "core/autograd.hpp"
#include "quant/deploy/graph.hpp"

namespace fraqat::deploy {

/// What a quantizer, fake_quant or level_quant, wrote about itself on the tape: the widths and
/// grids of its codes, one or (fake_quant with a p for each row) one for each row, and its ranges.
struct TapeCodes {
  std::vector<Width> width;
  std::vector<Grid> grid;
  Tensor scale, zero;  // [R]

  explicit TapeCodes(const Node& node);
};

bool is_quantizer(const Node& node);

/// The codes of the parameter x, whose zero-points are 0.
Weight weight_of(const Var& x, const TapeCodes& codes);

}  // namespace fraqat::deploy
