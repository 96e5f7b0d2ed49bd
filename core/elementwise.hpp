#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "core/parallel.hpp"
#include "core/tensor.hpp"

namespace fraqat::inline FRAQAT_PRECISION {

/// Elements a task should have before a fork pays.
inline constexpr Index elementwise_grain = 1 << 14;

/// The same in rows of `width` elements, at least one.
inline Index grain_rows(Index width) {
  return std::max<Index>(1, elementwise_grain / std::max<Index>(1, width));
}

/// A new tensor with f(first[i], rest[i]...) at every i; equal shapes.  `f` is
/// inlined and must be pure.
template <class F, class... Rest>
Tensor map(F f, const Tensor& first, const Rest&... rest) {
  Tensor result(first.shape());
  const auto loop = [&](Real* __restrict__ out, const Real* a, auto*... more) {
    parallel_chunks(result.size(), elementwise_grain, [=](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) out[i] = f(a[i], more[i]...);
    });
  };
  loop(result.data(), first.data(), rest.data()...);
  return result;
}

/// The same in the place of `first`, where nobody else holds it.
template <class F, class... Rest>
Tensor map_over(F f, Tensor first, const Rest&... rest) {
  if (!first.unique()) return map(f, first, rest...);
  const auto loop = [&](Real* __restrict__ to, auto*... more) {
    parallel_chunks(first.size(), elementwise_grain, [=](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) to[i] = f(to[i], more[i]...);
    });
  };
  loop(first.data(), rest.data()...);
  return first;
}

/// The sum of f(first[i], rest[i]...) over every i: eight running sums a chunk,
/// so that they fit a vector, and the tree of parallel_sum over the chunks.
template <class F, class... Rest>
Real sum_of(F f, const Tensor& first, const Rest&... rest) {
  constexpr Index lanes = 8;
  const auto chunk = [f](Index begin, Index end, const Real* a, auto*... more) {
    std::array<Real, lanes> sums{};
    Index i = begin;
    for (; i + lanes <= end; i += lanes)
      for (Index l = 0; l < lanes; ++l)
        sums[static_cast<std::size_t>(l)] += f(a[i + l], more[i + l]...);
    for (std::size_t l = 0; i < end; ++i, ++l) sums[l] += f(a[i], more[i]...);
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) +
           ((sums[1] + sums[5]) + (sums[3] + sums[7]));
  };
  return parallel_sum<Real>(first.size(), elementwise_grain, [&](Index begin, Index end) {
    return chunk(begin, end, first.data(), rest.data()...);
  });
}

/// `width` sums over the rows of a matrix, in double.  Every chunk of rows, of which there are at
/// most 64, adds to zeros of its own, and join() adds these up pairwise in index order: the same
/// bits for any number of threads.
class RowSums {
 public:
  RowSums(Index rows, Index width)
      : rows_(rows),
        width_(width),
        step_(step_of(rows, width)),
        sums_(static_cast<std::size_t>(chunks() * width)) {}

  /// Rows of a chunk, but for the last.
  static Index step_of(Index rows, Index width) {
    return std::max(grain_rows(width), (rows + most - 1) / most);
  }

  Index step() const { return step_; }
  Index chunks() const { return std::max<Index>(1, (rows_ + step_ - 1) / step_); }
  double* of(Index chunk) { return sums_.data() + chunk * width_; }

  void join() {
    for (Index apart = 1; apart < chunks(); apart *= 2)
      for (Index i = 0; i + apart < chunks(); i += 2 * apart)
        for (Index c = 0; c < width_; ++c) of(i)[c] += of(i + apart)[c];
  }

  /// The sum `i`, once they are joined.
  double operator[](Index i) const { return sums_[static_cast<std::size_t>(i)]; }

 private:
  static constexpr Index most = 64;
  Index rows_, width_, step_;
  std::vector<double, PoolAllocator<double>> sums_;
};

/// What accumulate(begin, end, sums) adds to the `width` zeros of a chunk for its rows
/// [begin, end), joined.
template <class Accumulate>
RowSums sum_rows(Index rows, Index width, Accumulate accumulate) {
  RowSums sums(rows, width);
  parallel_chunks(rows, sums.step(), [&](Index begin, Index end) {
    accumulate(begin, end, sums.of(begin / sums.step()));
  });
  sums.join();
  return sums;
}

/// The sums over all but the last dimension.
inline Tensor column_sums(const Tensor& x) {
  const Index width = x.dim(-1);
  const RowSums sums = sum_rows(x.size() / width, width, [&](Index begin, Index end, double* sum) {
    for (Index r = begin; r < end; ++r)
      for (Index c = 0; c < width; ++c) sum[c] += double(x[r * width + c]);
  });
  Tensor result({width});
  for (Index c = 0; c < width; ++c) result[c] = Real(sums[c]);
  return result;
}

}  // namespace fraqat::inline FRAQAT_PRECISION
