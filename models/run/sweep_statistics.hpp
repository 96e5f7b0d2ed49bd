#pragma once

#include <limits>
#include <span>
#include <vector>

/// What a sweep computes of accuracies and bytes.  A number that is missing is NaN.
namespace fraqat::run {

/// Numbers of several seeds.
struct Spread {
  std::size_t count = 0;
  double mean = std::numeric_limits<double>::quiet_NaN();
  double deviation = std::numeric_limits<double>::quiet_NaN();  // of the sample; from two on
  double least = std::numeric_limits<double>::quiet_NaN();
  double most = std::numeric_limits<double>::quiet_NaN();
};

Spread spread_of(std::span<const double> values);

/// A network: what it costs and what it can do.
struct SizePoint {
  double bytes = 0, accuracy = 0;
};

/// Which points no other dominates: none is as small and as accurate, and better in
/// one of the two.
std::vector<bool> front_of(std::span<const SizePoint> points);

/// The accuracy at `bytes` on the straight line from `a` to `b`; NaN outside.
double on_line(const SizePoint& a, const SizePoint& b, double bytes);

}  // namespace fraqat::run
