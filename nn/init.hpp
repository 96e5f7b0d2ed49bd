#pragma once

#include "core/random.hpp"

namespace fraqat::inline FRAQAT_PRECISION::nn {

/// Draws initial weights, one substream of (seed, init) a tensor, in order of
/// construction: the same seed and the same network give the same numbers.
class Initializer {
 public:
  explicit Initializer(std::uint64_t seed) : seed_(seed) {}

  /// Uniform in +-sqrt(6 / ((1 + a^2) fan_in)) (He et al., 2015, with the slope
  /// a of a leaky ReLU; a = sqrt(5) is what PyTorch uses for its layers).
  Tensor kaiming_uniform(const Shape& shape, Index fan_in, double a = 0);

  /// Normal with deviation sqrt(2 / fan_in).
  Tensor kaiming_normal(const Shape& shape, Index fan_in);

  /// Uniform in +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010).
  Tensor xavier_uniform(const Shape& shape, Index fan_in, Index fan_out);

  /// Normal with deviation 1.
  Tensor normal(const Shape& shape);

  Tensor uniform(const Shape& shape, double low, double high);

 private:
  Philox next() { return {seed_, Stream::init, ++drawn_}; }

  std::uint64_t seed_;
  std::uint32_t drawn_ = 0;
};

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
