#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/random.hpp"

// What the tests of kernels share.
namespace fraqat::test {

using Numbers = std::vector<float>;

/// Random numbers, the same in every run; a guard behind the end shows overruns.
class Dice {
 public:
  Index operator()(Index low, Index high) {
    return low + static_cast<Index>(word() % static_cast<std::uint32_t>(high - low + 1));
  }

  Numbers numbers(Index size) {
    Numbers values(static_cast<std::size_t>(size));
    for (float& v : values) v = 2 * uniform(word()) - 1;
    return values;
  }

 private:
  std::uint32_t word() { return Philox(3, Stream::synthetic)({0, 0, 0, drawn_++})[0]; }

  std::uint32_t drawn_ = 0;
};

inline constexpr float guard = 12345;
inline constexpr std::size_t guards = 32;

inline Numbers guarded(Index size, float value) {
  Numbers values(static_cast<std::size_t>(size) + guards, guard);
  std::fill_n(values.begin(), size, value);
  return values;
}

inline bool guard_holds(const Numbers& values) {
  return std::all_of(values.end() - guards, values.end(), [](float v) { return v == guard; });
}

inline Index size(std::initializer_list<Index> dims) {
  Index product = 1;
  for (const Index d : dims) product *= d;
  return product;
}

inline float& at(Numbers& v, Index i) { return v[static_cast<std::size_t>(i)]; }
inline double at(const Numbers& v, Index i) { return double(v[static_cast<std::size_t>(i)]); }

/// `got` is as long as `expected`, and the guards.
inline bool close(const Numbers& got, const std::vector<double>& expected) {
  double scale = 1;
  for (const double v : expected) scale = std::max(scale, std::abs(v));
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (!(std::abs(double(got[i]) - expected[i]) <= 2e-5 * scale)) return false;
  return guard_holds(got);
}

}  // namespace fraqat::test
