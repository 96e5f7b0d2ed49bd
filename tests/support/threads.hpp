#pragma once

#include "core/parallel.hpp"

namespace fraqat::test {

/// `count` threads while it is alive; then as many as before.
class Threads {
 public:
  explicit Threads(int count) : before_(thread_count()) { set_thread_count(count); }
  ~Threads() { set_thread_count(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

}  // namespace fraqat::test
