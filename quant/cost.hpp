#pragma once

#include <span>
#include <string>
#include <vector>

#include "quant/sites.hpp"
#include "quant/workload.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// A sum over sites k of width b_k (or pairs of them), in units of its own:
///
///   (constant + sum count b_left b_right) / divisor,      b_right = 1 where there is none
///
/// and, where bytes are counted, each tensor rounded up to a whole one: the codes of its rows
/// are one stream of bits.
struct Sum {
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  struct Term {
    std::size_t left = 0, right = none;
    Index count = 0;
    std::size_t stream = none;  // the neighbouring terms that are rounded up together
  };

  std::vector<Term> terms;
  Index constant = 0;  // in units of 1 / divisor, or bytes
  double divisor = 1;
  bool bytes = false;  // divisor 8: a term is ceil(count b / 8) bytes once widths are whole

  /// At fractional widths, one for each site of the workload: no rounding up.
  double value(std::span<const double> widths) const;

  /// d value / d b_k, added to slopes[k].
  void add_slopes(std::span<const double> widths, std::span<double> slopes) const;

  /// What deployment counts at hard widths, in whole units: bits, bytes, bit operations.  Where
  /// level counts make them fractions, a term (or stream) is rounded up.
  Index count(std::span<const Width> widths) const;

  /// The same, term by term, for what has to add up: a term of a stream is counted in bits,
  /// and then all are.  These numbers are in units of 1 / fineness(), which is 8 then, else 1.
  Index fineness() const;
  Index count(const Term& term, std::span<const Width> widths, Index fineness) const;

  /// What the terms may add up to for count() to be at most `limit`: streams may each be
  /// rounded up by 7 bits.
  Index term_limit(Index limit) const;

  /// The most that `count` may be for value() to be at most `target`.
  Index limit(double target) const;

  /// True for the last term of a stream.
  bool ends_stream(std::size_t term) const;

  /// About what one more bit everywhere adds: prices of different costs then compare.
  double scale() const;
};

/// What is counted of a network: a sum, or the largest of several.
struct Cost {
  std::string name;  // weight, activation, bytes, bops or activation_bytes
  std::string unit;  // average_bits, bytes or bops
  std::vector<Sum> sums;

  double value(std::span<const double> widths) const;

  /// d value / d b_k of each site; of a maximum, the mean of the slopes of the largest sums.
  std::vector<double> slopes(std::span<const double> widths) const;

  /// About what one more bit everywhere adds; of a maximum, to the sum of which that is most.
  double scale() const;

  /// At hard widths, as deployment counts it: bytes are whole for every tensor.
  double exact(std::span<const Width> widths) const;
};

/// An amount of a cost: bytes and bit operations in full, average bits as they are.
std::string in_digits(double amount);

struct Budget {
  Cost cost;
  double target = 0;  // of cost.value(), in its unit
};

/// Bits of `count` codes; a fraction is rounded up.
Index bits_of(Index count, const Width& width);

/// sum N_k b_k / sum N_k over the tensors of one role.
Cost average_bits(const Workload& workload, Role role);

/// Data bytes of the packed model: the codes of each weight in whole bytes, 4 for
/// each scale of a weight, 8 (multiplier and offset) for each output channel.
Cost model_bytes(const Workload& workload);

/// Sum over all products of MACs x width of one side x width of the other, each product
/// rounded up to a whole number.
Cost bit_operations(const Workload& workload);

/// The most bytes of codes that are in memory at once while a sample is computed,
/// each tensor in whole bytes.
Cost peak_activation_bytes(const Workload& workload);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
