#include "core/parallel.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace fraqat::parallel_test {

TEST_CASE("a parallel loop calls its body once for every index, for any number of threads") {
  const int before = thread_count();
  for (const int threads : {1, 2, 3, 4}) {
    set_thread_count(threads);
    for (const Index count : {0, 1, 2, 7, 1000}) {
      std::vector<int> calls(static_cast<std::size_t>(count));
      parallel_for(count, [&](Index i) { ++calls[static_cast<std::size_t>(i)]; });
      CHECK(calls == std::vector<int>(static_cast<std::size_t>(count), 1));
    }
  }
  set_thread_count(before);
}

TEST_CASE("what a loop wrote is seen by the next one and by the caller") {
  set_thread_count(4);
  std::vector<Index> a(10000), b(10000);
  for (int round = 1; round <= 20; ++round) {
    parallel_for(100, [&](Index task) {
      for (Index i = 100 * task; i < 100 * (task + 1); ++i) a[static_cast<std::size_t>(i)] += i;
    });
    parallel_for(100, [&](Index task) {  // other tasks read what these wrote
      for (Index i = 100 * task; i < 100 * (task + 1); ++i)
        b[static_cast<std::size_t>(i)] = a[static_cast<std::size_t>(9999 - i)];
    });
    CHECK(b[0] == 9999 * round);
    CHECK(b[9998] == round);
  }
}

TEST_CASE("a nested loop runs on the thread that meets it") {
  set_thread_count(4);
  CHECK_FALSE(in_parallel());
  std::atomic<int> calls = 0, outside = 0;
  parallel_for(8, [&](Index) {
    if (!in_parallel()) ++outside;
    thread_local int here;
    int* const mine = &here;
    parallel_for(5, [&](Index) {
      if (mine != &here) ++outside;
      ++calls;
    });
  });
  CHECK(calls == 40);
  CHECK(outside == 0);
  CHECK_FALSE(in_parallel());
}

TEST_CASE("the index of a thread is one of its loop, inside nested loops too, and 0 outside") {
  const int before = thread_count();
  set_thread_count(3);
  std::atomic<int> wrong = 0;
  parallel_for(64, [&](Index) {
    const int outer = thread_index();
    wrong += outer < 0 || outer >= 3;
    parallel_for(2, [&](Index) { wrong += thread_index() != outer; });
    wrong += thread_index() != outer;
  });
  CHECK(wrong == 0);
  CHECK(thread_index() == 0);
  set_thread_count(before);
}

TEST_CASE("what a body throws reaches the caller, the first index wins, and the next loop works") {
  const int before = thread_count();
  for (const int threads : {1, 2, 4}) {
    set_thread_count(threads);
    CAPTURE(threads);
    for (int round = 0; round < 50; ++round) {
      std::string caught;
      try {
        parallel_for(64, [](Index i) {
          if (i % 20 == 7) throw std::runtime_error(std::to_string(i));
        });
      } catch (const std::runtime_error& error) {
        caught = error.what();
      }
      CHECK(caught == "7");
      CHECK_FALSE(in_parallel());
      std::atomic<int> calls = 0, inside = 0;
      parallel_for(64, [&](Index) {
        ++calls;
        inside += in_parallel();
      });
      CHECK(calls == 64);
      CHECK(inside == 64);
    }
  }
  set_thread_count(before);
}

TEST_CASE("an exception of a nested loop leaves the outer loop a loop") {
  const int before = thread_count();
  for (const int threads : {1, 3}) {
    set_thread_count(threads);
    std::atomic<int> caught = 0, inside = 0;
    parallel_for(8, [&](Index) {
      try {
        parallel_for(3, [](Index) { throw 1; });
      } catch (int) {
        ++caught;
      }
      inside += in_parallel();
    });
    CHECK(caught == 8);
    CHECK(inside == 8);
    CHECK_FALSE(in_parallel());
  }
  set_thread_count(before);
}

}  // namespace fraqat::parallel_test
