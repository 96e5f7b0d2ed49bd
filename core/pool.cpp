#include "core/pool.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define FRAQAT_POOL_KEEPS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FRAQAT_POOL_KEEPS 0
#endif
#endif
#ifndef FRAQAT_POOL_KEEPS
#define FRAQAT_POOL_KEEPS 1  // under AddressSanitizer every block is fresh, so that misuse shows
#endif

namespace fraqat::pool {
namespace {

constexpr std::size_t alignment = 64;
constexpr int linear_classes = 16;     // multiples of 64 bytes up to 1 KiB
constexpr int classes_per_octave = 8;  // beyond: at most 12.5 % are lost to rounding
constexpr int octaves = 38;

struct SizeClass {
  int index;
  std::size_t bytes;
};

SizeClass size_class(std::size_t bytes) {
  if (bytes <= alignment * linear_classes) {
    const std::size_t units = std::max<std::size_t>(1, (bytes + alignment - 1) / alignment);
    return {static_cast<int>(units) - 1, units * alignment};
  }
  const int log = std::bit_width(bytes - 1) - 1;  // 2^log < bytes <= 2^(log+1)
  const std::size_t step = std::size_t{1} << (log - 3);
  const std::size_t units = (bytes + step - 1) / step;  // 9..16 steps
  return {linear_classes + (log - 10) * classes_per_octave + static_cast<int>(units) - 9,
          units * step};
}

struct FreeBlock {
  FreeBlock* next;
};

struct Pool {
  std::mutex mutex;
  std::array<FreeBlock*, linear_classes + octaves * classes_per_octave> free{};
  std::size_t live = 0;
  std::size_t peak = 0;
};

Pool& instance() {
  static Pool* pool = new Pool;  // never destroyed: static tensors may outlive any order
  return *pool;
}

}  // namespace

void* acquire(std::size_t bytes) {
  if (bytes > (std::size_t{1} << 46)) throw std::bad_alloc();
  const SizeClass cls = size_class(bytes);
  Pool& p = instance();
  {
    std::lock_guard lock(p.mutex);
    p.live += cls.bytes;
    p.peak = std::max(p.peak, p.live);
    FreeBlock*& head = p.free[static_cast<std::size_t>(cls.index)];
    if (head) {
      FreeBlock* block = head;
      head = block->next;
      return block;
    }
  }
  void* block = std::aligned_alloc(alignment, cls.bytes);
  if (!block) {
    std::lock_guard lock(p.mutex);
    p.live -= cls.bytes;
    throw std::bad_alloc();
  }
  return block;
}

void release(void* block, std::size_t bytes) noexcept {
  if (!block) return;
  const SizeClass cls = size_class(bytes);
  Pool& p = instance();
  std::lock_guard lock(p.mutex);
  p.live -= cls.bytes;
  if (!FRAQAT_POOL_KEEPS) return std::free(block);
  FreeBlock*& head = p.free[static_cast<std::size_t>(cls.index)];
  head = new (block) FreeBlock{head};
}

std::size_t live_bytes() {
  std::lock_guard lock(instance().mutex);
  return instance().live;
}

std::size_t peak_bytes() {
  std::lock_guard lock(instance().mutex);
  return instance().peak;
}

void reset_peak() {
  std::lock_guard lock(instance().mutex);
  instance().peak = instance().live;
}

void trim() {
  Pool& p = instance();
  std::lock_guard lock(p.mutex);
  for (FreeBlock*& head : p.free) {
    while (head) {
      FreeBlock* next = head->next;
      std::free(head);
      head = next;
    }
  }
}

}  // namespace fraqat::pool
