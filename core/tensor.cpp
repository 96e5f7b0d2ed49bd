#include "core/tensor.hpp"

#include <algorithm>
#include <new>

#include "core/parallel.hpp"

namespace fraqat::inline FRAQAT_PRECISION {
namespace {

constexpr Index grain = 1 << 16;  // elements a task should have before a fork pays

Real* acquired(const Shape& shape, std::size_t bytes) {
  try {
    return static_cast<Real*>(pool::acquire(bytes));
  } catch (const std::bad_alloc&) {
    fail(Error::Kind::failed, "[tensor] out of memory: got shape ", shape, " of ", bytes,
         " bytes; expected no more than there is; try smaller batches");
  }
}

}  // namespace

Tensor::Tensor(const Shape& shape) : shape_(shape) {
  const std::size_t bytes = static_cast<std::size_t>(shape.size()) * sizeof(Real);
  storage_ = std::shared_ptr<Real[]>(
      acquired(shape, bytes), [bytes](Real* p) { pool::release(p, bytes); }, PoolAllocator<Real>{});
}

Tensor::Tensor(const Shape& shape, std::span<const Real> values) : Tensor(shape) {
  check(static_cast<Index>(values.size()) == shape.size(), "[tensor] wrong number of values: got ",
        values.size(), "; expected ", shape.size(), " for shape ", shape);
  std::copy(values.begin(), values.end(), data());
}

Real Tensor::item() const {
  check(size() == 1, "[tensor] item of a tensor that is no scalar: got shape ", shape_,
        "; expected one element");
  return storage_[0];
}

Tensor Tensor::reshape(const Shape& shape) const {
  check(shape.size() == shape_.size(), "[reshape] sizes differ: got ", shape_, " to ", shape,
        "; expected the same number of elements");
  Tensor view = *this;
  view.shape_ = shape;
  return view;
}

Tensor Tensor::clone() const {
  if (!storage_) return {};
  Tensor copy(shape_);
  const Real* from = data();
  Real* to = copy.data();
  parallel_chunks(size(), grain,
                  [=](Index begin, Index end) { std::copy(from + begin, from + end, to + begin); });
  return copy;
}

void Tensor::fill(Real value) {
  Real* to = data();
  parallel_chunks(size(), grain,
                  [=](Index begin, Index end) { std::fill(to + begin, to + end, value); });
}

bool all_finite(const Tensor& tensor) {
  bool bad = false;
  for (const Real x : tensor.span()) bad |= x - x != 0;  // NaN for both; a loop that vectorises
  return !bad;
}

void add_in_place(Tensor& target, const Tensor& source) {
  check(target.shape() == source.shape(), "[add] shapes differ: got ", target.shape(), " and ",
        source.shape(), "; expected equal shapes");
  Real* to = target.data();
  const Real* from = source.data();
  parallel_chunks(target.size(), grain, [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) to[i] += from[i];
  });
}

}  // namespace fraqat::inline FRAQAT_PRECISION
