#pragma once

#include <cstddef>

namespace fraqat {

/// A process-wide cache of 64-byte aligned memory.  Released blocks are kept by
/// size class and handed out again, so that a training step in its steady state
/// asks the system for nothing.  Safe to use from any thread.
namespace pool {

/// At least `bytes` bytes, uninitialised, 64-byte aligned.  Throws std::bad_alloc.
void* acquire(std::size_t bytes);

/// Gives back what acquire(bytes) returned; nullptr is ignored.
void release(void* block, std::size_t bytes) noexcept;

/// Bytes handed out now, and the most there has been since reset_peak().
std::size_t live_bytes();
std::size_t peak_bytes();
void reset_peak();

/// Returns all cached blocks to the system.
void trim();

}  // namespace pool

/// Puts a standard container or a shared_ptr control block into the pool.
template <class T>
struct PoolAllocator {
  using value_type = T;

  PoolAllocator() = default;
  template <class U>
  PoolAllocator(const PoolAllocator<U>&) {}

  T* allocate(std::size_t n) { return static_cast<T*>(pool::acquire(n * sizeof(T))); }
  void deallocate(T* p, std::size_t n) noexcept { pool::release(p, n * sizeof(T)); }

  bool operator==(const PoolAllocator&) const { return true; }
};

}  // namespace fraqat
