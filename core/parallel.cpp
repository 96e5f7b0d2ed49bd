// The only file that talks to OpenMP.  It calls libgomp's entry point instead
// of using `#pragma omp`, for two reasons: clang's pragmas would load a second
// runtime (libomp) beside the libgomp that OpenBLAS brings, and ThreadSanitizer
// sees the order of events only through atomics of ours, which stand below.

#include "core/parallel.hpp"

#include <atomic>
#include <utility>

extern "C" {
void GOMP_parallel(void (*body)(void*), void* data, unsigned threads, unsigned flags);
int omp_get_max_threads();
int omp_get_thread_num();
void omp_set_num_threads(int threads);
}

namespace fraqat {
namespace {

struct Loop {
  Index count;
  void (*task)(void*, Index);
  void* context;
  std::atomic<Index> next{0};
};

// Entering and leaving a region, as events that every thread can see.
std::atomic<unsigned> forks{0};
std::atomic<unsigned> joins{0};

thread_local bool inside = false;

void work(void* data) {
  forks.load(std::memory_order_acquire);
  auto& loop = *static_cast<Loop*>(data);
  inside = true;
  for (Index i; (i = loop.next.fetch_add(1, std::memory_order_acq_rel)) < loop.count;)
    loop.task(loop.context, i);
  inside = false;
  joins.fetch_add(1, std::memory_order_acq_rel);
}

}  // namespace

int thread_count() { return omp_get_max_threads(); }

void set_thread_count(int threads) { omp_set_num_threads(threads); }

int thread_index() { return omp_get_thread_num(); }

bool in_parallel() { return inside; }

void detail::run_tasks(Index count, void (*task)(void*, Index), void* context) {
  if (inside || thread_count() == 1) {
    const bool nested = std::exchange(inside, true);
    for (Index i = 0; i < count; ++i) task(context, i);
    inside = nested;
    return;
  }
  Loop loop{count, task, context};
  forks.fetch_add(1, std::memory_order_release);
  GOMP_parallel(work, &loop, 0, 0);
  joins.load(std::memory_order_acquire);
}

}  // namespace fraqat
