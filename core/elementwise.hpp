#pragma once

#include "core/parallel.hpp"
#include "core/tensor.hpp"

namespace fraqat::inline FRAQAT_PRECISION {

/// A new tensor with f(first[i], rest[i]...) at every i; equal shapes.  `f` is
/// inlined and must be pure.
template <class F, class... Rest>
Tensor map(F f, const Tensor& first, const Rest&... rest) {
  constexpr Index grain = 1 << 14;  // elements a task should have before a fork pays
  Tensor result(first.shape());
  const auto loop = [&](Real* __restrict__ out, const Real* a, auto*... more) {
    parallel_chunks(result.size(), grain, [=](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) out[i] = f(a[i], more[i]...);
    });
  };
  loop(result.data(), first.data(), rest.data()...);
  return result;
}

}  // namespace fraqat::inline FRAQAT_PRECISION
