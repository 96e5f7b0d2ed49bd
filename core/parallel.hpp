#pragma once

#include <algorithm>
#include <array>
#include <memory>

#include "core/real.hpp"

namespace fraqat {

/// Threads that a parallel loop may use (OMP_NUM_THREADS unless set); to be set,
/// to 1 or more, outside of any.
int thread_count();
void set_thread_count(int threads);

/// True inside the body of a parallel loop, on any of its threads.
bool in_parallel();

/// Which thread this is, in [0, thread_count()); 0 outside a parallel loop.  For
/// choosing scratch memory, never for anything that a result depends on.
int thread_index();

namespace detail {

void run_tasks(Index count, void (*task)(void* context, Index i), void* context);

}  // namespace detail

/// Calls body(i) once for every i in [0, count), in any order, on any thread.
/// The partition is the caller's and must depend on shapes only, never on the
/// number of threads: this is what keeps every result the same to the bit.
/// A nested loop runs on the thread that meets it.
///
/// What a body throws is thrown again here, once no body runs any more; of
/// several the one of the smallest i, for any number of threads.  Which bodies
/// of larger i have run by then is not said.
template <class Body>
void parallel_for(Index count, Body&& body) {
  using Plain = std::remove_reference_t<Body>;
  detail::run_tasks(
      count, [](void* context, Index i) { (*static_cast<Plain*>(context))(i); },
      const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

/// Calls body(begin, end) for consecutive chunks of `grain` elements; a single
/// chunk runs in place, without waking anybody.
template <class Body>
void parallel_chunks(Index size, Index grain, Body&& body) {
  const Index chunks = (size + grain - 1) / grain;
  if (chunks <= 1) {
    if (size > 0) body(Index{0}, size);
    return;
  }
  parallel_for(chunks, [&](Index i) { body(i * grain, std::min(size, (i + 1) * grain)); });
}

/// Sum of partial(begin, end) over at most 64 equal chunks, at least `grain`
/// elements each, joined pairwise in index order: the same tree for any number
/// of threads.
template <class Value, class Partial>
Value parallel_sum(Index size, Index grain, Partial&& partial) {
  constexpr Index most = 64;
  std::array<Value, most> sums{};
  const Index step = std::max(grain, (size + most - 1) / most);
  const Index chunks = size > 0 ? (size + step - 1) / step : 0;
  parallel_chunks(size, step, [&](Index begin, Index end) {
    sums[static_cast<std::size_t>(begin / step)] = partial(begin, end);
  });
  for (Index width = 1; width < chunks; width *= 2)
    for (Index i = 0; i + width < chunks; i += 2 * width)
      sums[static_cast<std::size_t>(i)] += sums[static_cast<std::size_t>(i + width)];
  return sums[0];
}

}  // namespace fraqat
