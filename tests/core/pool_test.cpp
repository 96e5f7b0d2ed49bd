#include "core/pool.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <new>
#include <vector>

#include "core/parallel.hpp"
#include "core/random.hpp"

using namespace fraqat;

namespace {

struct Block {
  unsigned char* at;
  std::size_t bytes;
  unsigned char pattern;

  bool intact() const {
    return std::all_of(at, at + bytes, [this](unsigned char c) { return c == pattern; });
  }
};

Block filled(std::size_t bytes, unsigned char pattern) {
  auto* at = static_cast<unsigned char*>(pool::acquire(bytes));
  std::fill(at, at + bytes, pattern);
  return {at, bytes, pattern};
}

}  // namespace

TEST_CASE("pool: live and peak count what is handed out") {
  const std::size_t before = pool::live_bytes();
  pool::reset_peak();
  CHECK(pool::peak_bytes() == before);
  void* a = pool::acquire(1 << 20);
  void* b = pool::acquire(100);
  const std::size_t both = pool::live_bytes() - before;
  CHECK(both >= (1 << 20) + 100);
  CHECK(both <= (1 << 20) * 9 / 8 + 128);  // rounding costs an eighth at most
  pool::release(a, 1 << 20);
  CHECK(pool::live_bytes() - before == 128);
  CHECK(pool::peak_bytes() - before == both);
  pool::release(b, 100);
  CHECK(pool::live_bytes() == before);
  pool::release(nullptr, 100);
  CHECK(pool::live_bytes() == before);
}

TEST_CASE("pool: rounding up loses at most an eighth, for every size") {
  const std::size_t before = pool::live_bytes();
  for (std::size_t bytes = 1025; bytes < 1'000'000; bytes += bytes / 37 + 1) {
    void* block = pool::acquire(bytes);
    const std::size_t given = pool::live_bytes() - before;
    pool::release(block, bytes);
    INFO(bytes, " bytes");
    REQUIRE(given >= bytes);
    REQUIRE(given <= bytes + bytes / 8 + 64);
  }
}

#ifndef __SANITIZE_ADDRESS__  // there every block is fresh
TEST_CASE("pool: a released block of the same size class comes back") {
  void* first = pool::acquire(100'000);
  pool::release(first, 100'000);
  void* again = pool::acquire(99'990);
  CHECK(again == first);
  pool::release(again, 99'990);
  pool::trim();
  void* fresh = pool::acquire(64);
  pool::release(fresh, 64);
  CHECK(pool::acquire(64) == fresh);
  pool::release(fresh, 64);
}
#endif

namespace fraqat::pool_test {

TEST_CASE("pool: blocks never overlap, in any order of sizes and releases") {
  const Philox generator(1, Stream::synthetic);
  const std::size_t before = pool::live_bytes();
  std::vector<Block> blocks;
  for (std::uint32_t i = 0; i < 4000; ++i) {
    const Philox::Block dice = generator({i, 0, 0, 0});
    if (blocks.size() < 60 && dice[0] % 5 < 3) {
      const std::size_t bytes = 1 + dice[1] % (std::size_t{1} << (dice[2] % 16));
      blocks.push_back(filled(bytes, static_cast<unsigned char>(dice[3])));
      REQUIRE(reinterpret_cast<std::uintptr_t>(blocks.back().at) % 64 == 0);
    } else if (!blocks.empty()) {
      std::swap(blocks[dice[1] % blocks.size()], blocks.back());
      REQUIRE(blocks.back().intact());
      pool::release(blocks.back().at, blocks.back().bytes);
      blocks.pop_back();
    }
  }
  for (const Block& block : blocks) {
    CHECK(block.intact());
    pool::release(block.at, block.bytes);
  }
  CHECK(pool::live_bytes() == before);
}

TEST_CASE("pool: several threads at once") {
  const std::size_t before = pool::live_bytes();
  std::vector<int> broken(64);
  parallel_for(64, [&](Index task) {
    for (std::size_t i = 1; i < 50; ++i) {
      const Block block = filled(i * 97, static_cast<unsigned char>(task));
      if (!block.intact()) ++broken[static_cast<std::size_t>(task)];
      pool::release(block.at, block.bytes);
    }
  });
  CHECK(broken == std::vector<int>(64));
  CHECK(pool::live_bytes() == before);
}

TEST_CASE("pool: what no machine has is refused, and not counted") {
  const std::size_t before = pool::live_bytes();
  CHECK_THROWS_AS(pool::acquire(std::size_t{1} << 60), std::bad_alloc);
  CHECK(pool::live_bytes() == before);
}

TEST_CASE("pool: a container in the pool") {
  const std::size_t before = pool::live_bytes();
  {
    std::vector<int, PoolAllocator<int>> numbers(1000, 7);
    CHECK(pool::live_bytes() >= before + 4000);
    CHECK(std::count(numbers.begin(), numbers.end(), 7) == 1000);
  }
  CHECK(pool::live_bytes() == before);
}

}  // namespace fraqat::pool_test
