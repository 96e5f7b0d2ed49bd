#include "core/broadcast.hpp"

namespace fraqat::inline FRAQAT_PRECISION {

Tensor sum_to(const Shape& to, const Tensor& x) {
  if (to.size() == x.size()) return x.reshape(to);
  const auto itself = [](Real v) { return v; };
  const auto rounded = [](double sum) { return static_cast<Real>(sum); };
  return fold<Added>(x.shape(), to, itself, rounded, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION
