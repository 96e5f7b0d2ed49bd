#pragma once

#include <vector>

#include "quant/bits.hpp"

/// What several bit policies need.
namespace fraqat::inline FRAQAT_PRECISION::quant {

/// p for each candidate being the one in force.
std::vector<Var> one_hot_weights(const Widths& widths);

/// What `policy` chooses outside training: every row one-hot at hard().  `one_hot` are
/// one_hot_weights(widths).
BitPolicy::Choice hard_choice(const BitPolicy& policy, const std::vector<Var>& one_hot);

/// The tensor [rows] of f(row).
template <class F>
Tensor of_rows(Index rows, F&& f) {
  Tensor all({rows});
  for (Index row = 0; row < rows; ++row) all[row] = static_cast<Real>(f(row));
  return all;
}

/// True while a policy may sample or mix.
bool may_sample();

/// An Error unless there is a choice and `initial` is within it.
void check_start(const Widths& widths, double initial);

/// The position of the candidate nearest to `bits`; of two, the wider, as rounding has it.
int nearest_width(const Widths& widths, double bits);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
