#include <doctest/doctest.h>

#include <atomic>
#include <fstream>
#include <istream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "core/blas.hpp"
#include "core/parallel.hpp"
#include "tests/support/threads.hpp"

extern "C" void GOMP_parallel(void (*body)(void*), void* data, unsigned threads, unsigned flags);

namespace fraqat::openmp_test {
namespace {

/// The OpenMP runtimes among the files that a process has mapped.
std::set<std::string> runtimes(std::istream& maps) {
  static const std::regex runtime(R"(/(lib(gomp|omp|iomp)[0-9]*[-.][^/]*)$)");
  std::set<std::string> found;
  std::smatch match;
  for (std::string line; std::getline(maps, line);)
    if (std::regex_search(line, match, runtime)) found.insert(match[1]);
  return found;
}

}  // namespace

TEST_CASE("runtimes are recognised") {
  std::istringstream maps(
      "7f00-7f01 r-xp 0 08:01 1 /usr/lib/x86_64-linux-gnu/libgomp.so.1.0.0\n"
      "7f01-7f02 r--p 0 08:01 1 /usr/lib/x86_64-linux-gnu/libgomp.so.1.0.0\n"
      "7f02-7f03 r-xp 0 08:01 2 /usr/lib/llvm-14/lib/libomp-14.so.5\n"
      "7f03-7f04 r-xp 0 08:01 3 /opt/intel/libiomp5.so\n"
      "7f04-7f05 r-xp 0 08:01 4 /usr/lib/libcompat.so.1\n");
  CHECK(runtimes(maps) ==
        std::set<std::string>{"libgomp.so.1.0.0", "libiomp5.so", "libomp-14.so.5"});
}

TEST_CASE("one OpenMP runtime serves our loops and BLAS") {
  set_thread_count(2);
  std::vector<int> ran(64);
  parallel_for(64, [&](Index i) { ran[static_cast<std::size_t>(i)] = 1; });
  const std::vector<Real> a(128 * 128, Real(1));
  std::vector<Real> c(a.size());
  blas::gemm(blas::Op::none, blas::Op::none, 128, 128, 128, 1, a.data(), 128, a.data(), 128, 0,
             c.data(), 128);
  CHECK(c[0] == 128);

  std::ifstream maps("/proc/self/maps");
  REQUIRE(maps);
  const std::set<std::string> loaded = runtimes(maps);
  for (const std::string& name : loaded) MESSAGE("loaded: ", name);
  CHECK(loaded.size() == 1);
}

TEST_CASE("a caller's own parallel region has threads of index 0, each the only one of its loops") {
  const test::Threads one(1);
  static std::atomic<int> ran = 0, beyond = 0;
  const auto body = [](void*) {
    ++ran;
    beyond += thread_index() != 0;
    parallel_for(2, [](Index) { beyond += thread_index() >= thread_count(); });
  };
  GOMP_parallel(body, nullptr, 4, 0);
  CHECK(ran == 4);
  CHECK(beyond == 0);
}

}  // namespace fraqat::openmp_test
