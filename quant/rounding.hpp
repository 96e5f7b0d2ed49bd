#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quant/cost.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// From fractional widths to those that hardware has, whole bits or level counts.
enum class Rounding { nearest, ceil, floor, budget };

/// The rounding of that name; an Error lists the names.
Rounding rounding_of(std::string_view name);

struct RoundingItem {
  std::string name;
  double bits = 0;  // the learned width
  Index elements = 0;
  double sensitivity = 1;           // loss per bit near `bits`, on any common scale
  std::vector<Width> allowed;       // rising, in resolution and in stored bits
  std::vector<double> losses = {};  // at each allowed width; empty: by formula
  Coding coding = Coding::symmetric;
  bool held = false;  // the one allowed width is given: nothing has to be chosen with it

  /// How fine the codes of a width are, in bits: what b is compared with.  What it costs are
  /// its stored bits.
  double resolution(const Width& width) const { return width.level_bits(coding); }

  /// The position of an allowed width.
  std::size_t position(const Width& width) const;

  /// The loss expected at allowed[i]: sensitivity 4^(bits - resolution), unless it is given.
  double loss(std::size_t i) const;
};

struct Rounded {
  std::vector<Width> bits;  // one for each item
  bool exact = true;        // no other widths lose less, as far as losses are known
};

/// Each width by itself: the nearest allowed one (ties go up), the next at or
/// above, or at or below; the end of the allowed set where there is none.
Rounded round_each(const std::vector<RoundingItem>& items, Rounding rounding);

/// The loss expected of all items at these widths, each one of those allowed.
double expected_loss(const std::vector<RoundingItem>& items, const std::vector<Width>& bits);

/// An Error names the first item without allowed widths, with unsorted ones, or
/// with a learned width that is no number.
void check_items(const std::vector<RoundingItem>& items);

/// Tensors, by position, that must share one width.
using Couples = std::vector<std::pair<std::size_t, std::size_t>>;

/// The widths of least expected loss under any budgets on all tensors of a network: items[k] is
/// tensor k of the budgets' costs.  Quantization noise falls by 4 with every bit, so an item
/// expects to lose sensitivity 4^(b - a) at width a.  Of equal losses the cheaper is taken; where
/// the best leaves more than 1 % of one budget unused, one that uses more is, if there is any
/// (knapsack.hpp).  Tensors whose widths are multiplied in a cost, and coupled
/// ones, are chosen for together, as one item with a choice for each combination;
/// tensors that no budget counts get the nearest width.  Budgets that have no tensor
/// in common are rounded to by themselves.
///
/// Errors: a budget below its least cost; coupled tensors without a common width.
Rounded round_to_budgets(const std::vector<RoundingItem>& items, const std::vector<Budget>& budgets,
                         const Couples& couples = {});

/// The same where items are rows of one tensor, of which each pair of `rows` names two.  A
/// budget that multiplies rows with the activation they read would make them all one item with
/// too many choices.  Then tensors are rounded as wholes first; from there, rows with all other
/// widths held, and these with the rows held, in turn, until the loss falls no more.  That
/// is exact at each turn and not in all, and is said so.
Rounded round_rows_to_budgets(const std::vector<RoundingItem>& items,
                              const std::vector<Budget>& budgets, const Couples& couples,
                              const Couples& rows);

/// An Error, as that of round_to_budgets, if the smallest widths break a budget.
void check_feasible(const std::vector<RoundingItem>& items, const std::vector<Budget>& budgets,
                    const Couples& couples = {});

/// round_each with coupled tensors at one width: that of their mean, weighted by size.
Rounded round_each(const std::vector<RoundingItem>& items, Rounding rounding,
                   const Couples& couples);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
