#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/real.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {

/// One inequality, cost <= target, and its price lambda >= 0: the loss that one
/// more unit of the cost (of Sum::scale() units) would save.
struct Constraint {
  double target = 0;  // of this step
  double now = 0;     // the cost before the step
  double price = 0;
  bool met = true;  // false: the step limit kept the cost above the target at any price
};

/// A step that can be tried at any prices before it is taken.
class Trial {
 public:
  virtual ~Trial() = default;

  /// What the cost of constraint `i` would be after a step at these prices.
  virtual double cost(std::size_t i, std::span<const Constraint> all) = 0;
};

/// Finds the prices of a step.
class Multiplier {
 public:
  virtual ~Multiplier() = default;
  virtual void find(std::span<Constraint> all, Trial& trial) = 0;

  /// True if targets should fall slowly from where the search starts; else the
  /// budget itself is the target, from the first step on.
  virtual bool ramps() const { return false; }

  /// What a resumed search needs; one number after another.
  virtual std::vector<double>& memory() { return memory_; }

 protected:
  std::vector<double> memory_;
};

/// exact | dual | pid, for `constraints` inequalities; an Error lists the names.
///
///   exact  the prices at which every cost meets its target after the step: bisection
///          of one after the other, at most 20 rounds.  A price is 0 where its cost
///          meets the target without (complementary slackness).
///   dual   c = cost / target - 1; lambda rises by 0.01 of c's running mean, not below
///          0, and the price is lambda + 5 max(c, 0): augmented dual ascent.
///   pid    log10(price) = -3 + e + 0.002 sum e, with e = log10(cost / target).
std::unique_ptr<Multiplier> multiplier_of(std::string_view name, std::size_t constraints);

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
