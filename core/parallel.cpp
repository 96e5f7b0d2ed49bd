// The only file that talks to OpenMP.  It calls libgomp's entry point instead
// of using `#pragma omp`, for two reasons: clang's pragmas would load a second
// runtime (libomp) beside the libgomp that OpenBLAS brings, and ThreadSanitizer
// sees the order of events only through atomics of ours, which stand below.

#include "core/parallel.hpp"

#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
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

  // Of the smallest index that threw.
  std::mutex mutex = {};
  Index failed = std::numeric_limits<Index>::max();
  std::exception_ptr error = {};

  /// Keeps the exception under way and gives out no further index; smaller ones
  /// are given out already.
  void fail(Index i) {
    next.store(count, std::memory_order_release);
    const std::lock_guard lock(mutex);
    if (i > failed) return;
    failed = i;
    error = std::current_exception();
  }
};

// Entering and leaving a region, as events that every thread can see.
std::atomic<unsigned> forks{0};
std::atomic<unsigned> joins{0};

thread_local bool inside = false;

// Not omp_get_thread_num(): a caller's own parallel region counts its threads, too, and may have
// more of them than thread_count() says.
thread_local int index = 0;

/// Inside a loop, as its thread number `here`, as long as it lives.
class Inside {
 public:
  explicit Inside(int here)
      : before_(std::exchange(inside, true)), index_before_(std::exchange(index, here)) {}
  ~Inside() {
    inside = before_;
    index = index_before_;
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  bool before_;
  int index_before_;
};

void work(void* data) {
  forks.load(std::memory_order_acquire);
  auto& loop = *static_cast<Loop*>(data);
  {
    const Inside here(omp_get_thread_num());
    for (Index i; (i = loop.next.fetch_add(1, std::memory_order_acq_rel)) < loop.count;) {
      try {
        loop.task(loop.context, i);
      } catch (...) {  // must not pass through OpenMP
        loop.fail(i);
      }
    }
  }
  joins.fetch_add(1, std::memory_order_acq_rel);
}

}  // namespace

int thread_count() { return omp_get_max_threads(); }

void set_thread_count(int threads) { omp_set_num_threads(threads); }

int thread_index() { return index; }

bool in_parallel() { return inside; }

void detail::run_tasks(Index count, void (*task)(void*, Index), void* context) {
  if (inside || thread_count() == 1) {
    const Inside here(index);
    for (Index i = 0; i < count; ++i) task(context, i);
    return;
  }
  Loop loop{count, task, context};
  forks.fetch_add(1, std::memory_order_release);
  GOMP_parallel(work, &loop, 0, 0);
  joins.load(std::memory_order_acquire);
  if (loop.error) std::rethrow_exception(loop.error);
}

}  // namespace fraqat
