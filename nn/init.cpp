#include "nn/init.hpp"

#include <cmath>

namespace fraqat::inline FRAQAT_PRECISION::nn {

Tensor Initializer::uniform(const Shape& shape, double low, double high) {
  Tensor tensor(shape);
  fill_uniform(tensor, static_cast<Real>(low), static_cast<Real>(high), next());
  return tensor;
}

Tensor Initializer::kaiming_uniform(const Shape& shape, Index fan_in, double a) {
  const double bound = std::sqrt(6 / ((1 + a * a) * static_cast<double>(fan_in)));
  return uniform(shape, -bound, bound);
}

Tensor Initializer::normal(const Shape& shape) {
  Tensor tensor(shape);
  fill_normal(tensor, next());
  return tensor;
}

Tensor Initializer::kaiming_normal(const Shape& shape, Index fan_in) {
  Tensor tensor = normal(shape);
  const auto deviation = static_cast<Real>(std::sqrt(2 / static_cast<double>(fan_in)));
  for (Real& v : tensor.span()) v *= deviation;
  return tensor;
}

Tensor Initializer::xavier_uniform(const Shape& shape, Index fan_in, Index fan_out) {
  const double bound = std::sqrt(6 / static_cast<double>(fan_in + fan_out));
  return uniform(shape, -bound, bound);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
