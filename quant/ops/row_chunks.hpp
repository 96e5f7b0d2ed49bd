#pragma once

#include <algorithm>

#include "core/parallel.hpp"
#include "core/tensor.hpp"

namespace fraqat::inline FRAQAT_PRECISION::op {

/// A tensor of `rows` rows cut into tasks: pieces of a row, the same for any
/// number of threads.
struct RowChunks {
  static constexpr Index chunk = 1 << 14;  // elements of one task
  Index size, rows;

  Index length() const { return size / rows; }
  Index per_row() const { return (length() + chunk - 1) / chunk; }
  Index tasks() const { return rows * per_row(); }

  /// f(row, first element, count, task) over all of it.
  template <class F>
  void for_each(F&& f) const {
    const auto task = [&](Index t) {
      const Index row = t / per_row(), offset = t % per_row() * chunk;
      f(row, row * length() + offset, std::min(chunk, length() - offset), t);
    };
    if (size > chunk) return parallel_for(tasks(), task);
    for (Index t = 0; t < tasks(); ++t) task(t);
  }
};

}  // namespace fraqat::inline FRAQAT_PRECISION::op
