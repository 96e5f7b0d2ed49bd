#pragma once

#include <memory>
#include <span>

#include "core/pool.hpp"
#include "core/shape.hpp"

namespace fraqat::inline FRAQAT_PRECISION {

/// Contiguous numbers with a shape, row-major; no history.  Copying shares the
/// storage (pooled, 64-byte aligned); clone() copies the numbers.  A default
/// constructed tensor is empty: it has no storage and converts to false.
class Tensor {
 public:
  Tensor() = default;

  /// Uninitialised numbers; an Error where there is no memory for them.
  explicit Tensor(const Shape& shape);

  Tensor(const Shape& shape, Real value) : Tensor(shape) { fill(value); }
  Tensor(const Shape& shape, std::span<const Real> values);

  static Tensor scalar(Real value) { return Tensor(Shape{}, value); }

  explicit operator bool() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  int rank() const { return shape_.rank(); }
  Index dim(int i) const { return shape_[i]; }
  Index size() const { return storage_ ? shape_.size() : 0; }

  Real* data() { return storage_.get(); }
  const Real* data() const { return storage_.get(); }
  std::span<Real> span() { return {data(), static_cast<std::size_t>(size())}; }
  std::span<const Real> span() const { return {data(), static_cast<std::size_t>(size())}; }
  Real& operator[](Index i) { return storage_[i]; }
  Real operator[](Index i) const { return storage_[i]; }

  /// The value of a one-element tensor.
  Real item() const;

  /// The same storage under another shape of equal size.
  Tensor reshape(const Shape& shape) const;
  Tensor clone() const;

  /// True when nobody else holds this storage: only then may it be overwritten.
  bool unique() const { return storage_.use_count() == 1; }

  void fill(Real value);

 private:
  Shape shape_;
  std::shared_ptr<Real[]> storage_;
};

/// False if any number is NaN or infinite; true for an empty tensor.
bool all_finite(const Tensor& tensor);

/// target += source, element by element; equal shapes.
void add_in_place(Tensor& target, const Tensor& source);

}  // namespace fraqat::inline FRAQAT_PRECISION
