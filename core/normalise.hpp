#pragma once

#include <array>

#include "core/autograd.hpp"

namespace fraqat::inline FRAQAT_PRECISION {

/// y = gamma z + beta,  z = (x - mean) / sqrt(variance + epsilon), where x is seen
/// as [samples, pixels, groups, width]: a mean and a biased variance for each
/// sample and group, a gamma and a beta for each of the groups x width channels.
///
///   dL/dbeta = sum of dL/dy      dL/dgamma = sum of dL/dy z      (samples, pixels)
///   dL/dx = (h - mean of h - z mean of (h z)) / sqrt(variance + epsilon)
///
/// with h = gamma dL/dy and means over pixels and width.  The moments come from
/// sums of x and x^2 in double, as those of batch_norm.
struct Normalisation {
  Index samples, pixels, groups, width;
  Real epsilon;
  Tensor x = {}, gamma = {}, mean = {}, inverse = {};  // the last two: [samples, groups]

  Tensor forward(const Tensor& input, const Tensor& scale, const Tensor& shift);
  std::array<Tensor, 3> backward(const Tensor& dy, Needs<3> needs) const;

 private:
  Index channels() const { return groups * width; }
  void set_moments(Index sample, double* sums);
  void apply(Index sample, const Real* shift, Real* y) const;
  void add_products(Index sample, const Real* dy, double* sums) const;
  void input_gradient(Index sample, const double* sums, const Real* dy, Real* room, Real* dx) const;
};

}  // namespace fraqat::inline FRAQAT_PRECISION
