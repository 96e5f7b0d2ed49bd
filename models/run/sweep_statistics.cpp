#include "models/run/sweep_statistics.hpp"

#include <algorithm>
#include <cmath>

namespace fraqat::run {

Spread spread_of(std::span<const double> values) {
  Spread spread;
  if (values.empty()) return spread;
  const auto count = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  spread.count = values.size();
  spread.mean = sum / count;
  for (const double value : values) squares += (value - spread.mean) * (value - spread.mean);
  if (values.size() > 1) spread.deviation = std::sqrt(squares / (count - 1));
  spread.least = *std::min_element(values.begin(), values.end());
  spread.most = *std::max_element(values.begin(), values.end());
  return spread;
}

std::vector<bool> front_of(std::span<const SizePoint> points) {
  std::vector<std::size_t> order(points.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (points[a].bytes != points[b].bytes) return points[a].bytes < points[b].bytes;
    return points[a].accuracy > points[b].accuracy;
  });
  // From the smallest on, a point is on the front if it beats every smaller one;
  // of equal points all are.
  std::vector<bool> front(points.size(), false);
  const SizePoint* best = nullptr;
  for (const std::size_t i : order) {
    const SizePoint& p = points[i];
    const bool equal = best && p.bytes == best->bytes && p.accuracy == best->accuracy;
    if (best && !equal && p.accuracy <= best->accuracy) continue;
    front[i] = true;
    best = &p;
  }
  return front;
}

double on_line(const SizePoint& a, const SizePoint& b, double bytes) {
  if (bytes < std::min(a.bytes, b.bytes) || bytes > std::max(a.bytes, b.bytes))
    return std::numeric_limits<double>::quiet_NaN();
  if (a.bytes == b.bytes) return std::max(a.accuracy, b.accuracy);
  const double share = (bytes - a.bytes) / (b.bytes - a.bytes);
  return a.accuracy + share * (b.accuracy - a.accuracy);
}

}  // namespace fraqat::run
