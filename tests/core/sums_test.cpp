#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "core/elementwise.hpp"
#include "core/random.hpp"

namespace fraqat::sums_test {
namespace {

double plain_sum(const std::vector<double>& numbers, Index grain) {
  return parallel_sum<double>(static_cast<Index>(numbers.size()), grain,
                              [&](Index begin, Index end) {
                                double sum = 0;
                                for (Index i = begin; i < end; ++i)
                                  sum += numbers[static_cast<std::size_t>(i)];
                                return sum;
                              });
}

}  // namespace

TEST_CASE("parallel_sum: the tree joins neighbours, whatever the threads") {
  // Chunks of one: ((1 + 1e100) + (-1e100 + 1)) + 1e-3; another order, another sum.
  CHECK(plain_sum({1, 1e100, -1e100, 1, 1e-3}, 1) == 1e-3);
  CHECK(plain_sum({}, 1) == 0);
  std::vector<double> numbers(10'007);
  const Philox generator(3, Stream::synthetic);
  for (std::uint32_t i = 0; i < numbers.size(); ++i)
    numbers[i] = double(generator({i, 0, 0, 0})[0]) - 2e9;
  const int before = thread_count();
  set_thread_count(1);
  const double one = plain_sum(numbers, 10);
  for (const int threads : {2, 3, 4}) {
    set_thread_count(threads);
    CHECK(plain_sum(numbers, 10) == one);
  }
  set_thread_count(before);
}

TEST_CASE("parallel_chunks: every element once, in chunks of the grain") {
  for (const Index size : {0, 1, 9, 10, 11, 100, 101}) {
    std::vector<int> seen(static_cast<std::size_t>(size));
    parallel_chunks(size, 10, [&](Index begin, Index end) {
      if (begin % 10 != 0 || end - begin > 10 || end <= begin) std::abort();
      for (Index i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
    });
    CHECK(seen == std::vector<int>(static_cast<std::size_t>(size), 1));
  }
}

TEST_CASE("sum_rows: column sums over any number of chunks") {
  for (const auto& [rows, width] :
       {std::array<Index, 2>{0, 3}, {1, 1}, {7, 3}, {5000, 17}, {70'001, 5}}) {
    const auto sums = sum_rows(rows, width, [w = width](Index begin, Index end, double* sum) {
      for (Index r = begin; r < end; ++r)
        for (Index c = 0; c < w; ++c) sum[c] += double(r * (c + 1));
    });
    for (Index c = 0; c < width; ++c)  // whole numbers: exact
      CHECK(sums[c] == double(rows * (rows - 1) / 2 * (c + 1)));
  }
}

}  // namespace fraqat::sums_test
