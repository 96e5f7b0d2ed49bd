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

/// Sums over the rows of a matrix: what accumulate(begin, end, sums) adds to the
/// `width` zeros it is given for rows [begin, end), joined over at most 64
/// chunks pairwise in index order.
template <class Accumulate>
std::vector<double, PoolAllocator<double>> sum_rows(Index rows, Index width,
                                                    Accumulate accumulate) {
  constexpr Index most = 64;
  const Index step = std::max(grain_rows(width), (rows + most - 1) / most);
  const Index chunks = std::max<Index>(1, (rows + step - 1) / step);
  std::vector<double, PoolAllocator<double>> sums(static_cast<std::size_t>(chunks * width));
  parallel_chunks(rows, step, [&](Index begin, Index end) {
    accumulate(begin, end, sums.data() + begin / step * width);
  });
  for (Index apart = 1; apart < chunks; apart *= 2)
    for (Index i = 0; i + apart < chunks; i += 2 * apart) {
      double* to = sums.data() + i * width;
      for (Index c = 0; c < width; ++c) to[c] += to[c + apart * width];
    }
  sums.resize(static_cast<std::size_t>(width));
  return sums;
}

/// The sums over all but the last dimension.
inline Tensor column_sums(const Tensor& x) {
  const Index width = x.dim(-1);
  const auto sums = sum_rows(x.size() / width, width, [&](Index begin, Index end, double* sum) {
    for (Index r = begin; r < end; ++r)
      for (Index c = 0; c < width; ++c) sum[c] += double(x[r * width + c]);
  });
  Tensor result({width});
  std::transform(sums.begin(), sums.end(), result.data(), [](double s) { return Real(s); });
  return result;
}

}  // namespace fraqat::inline FRAQAT_PRECISION
