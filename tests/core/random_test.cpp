#include "core/random.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

namespace fraqat::random_test {

// From kat_vectors of Random123, "philox4x32 10".
TEST_CASE("philox: the known answers of its authors") {
  constexpr std::uint32_t ones = 0xffffffff;
  CHECK(Philox({0, 0})({0, 0, 0, 0}) ==
        Philox::Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(Philox({ones, ones})({ones, ones, ones, ones}) ==
        Philox::Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(Philox({0xa4093822, 0x299f31d0})({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}) ==
        Philox::Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("philox: seeds, streams and substreams differ") {
  std::set<Philox::Block> blocks;
  for (const std::uint64_t seed : {0, 1, 2})
    for (const Stream stream : {Stream::init, Stream::shuffle, Stream::dropout})
      for (const std::uint32_t substream : {0, 1, 2})
        blocks.insert(Philox(seed, stream, substream)({0, 0, 0, 0}));
  CHECK(blocks.size() == 27);
}

TEST_CASE("uniform: inside (0, 1), never an end") {
  CHECK(uniform(0) == 0x1p-24f);
  CHECK(uniform(0xffffffff) == 1 - 0x1p-24f);
  CHECK(uniform(0x80000000) == 0.5f + 0x1p-24f);
  CHECK(uniform(511) == uniform(0));  // the low nine bits do not count
  CHECK(uniform(512) > uniform(0));
}

TEST_CASE("uniform numbers: range, mean, variance") {
  Tensor t({200'001});
  fill_uniform(t, -2, 4, Philox(5, Stream::synthetic));
  double sum = 0, squares = 0;
  for (const Real v : t.span()) {
    REQUIRE(v > -2);
    REQUIRE(v < 4);
    sum += double(v);
    squares += (double(v) - 1) * (double(v) - 1);
  }
  const double n = double(t.size()), sigma = 6 / std::sqrt(12.0);
  CHECK(std::abs(sum / n - 1) < 5 * sigma / std::sqrt(n));
  // The variance of (v - 1)^2 is 6^4 / 180.
  CHECK(std::abs(squares / n - 3) < 5 * std::sqrt(1296 / 180.0 / n));
}

TEST_CASE("uniform numbers: none is rounded up to the end that does not belong") {
  constexpr Real high = 1 + Real(0x1p-20);  // eight floats above 1
  Tensor t({1000});
  fill_uniform(t, 1, high, Philox(5, Stream::synthetic));
  for (const Real v : t.span()) {
    REQUIRE(v >= 1);
    REQUIRE(v < high);
  }
}

TEST_CASE("normal numbers: the first four moments") {
  Tensor t({400'003});
  fill_normal(t, Philox(6, Stream::synthetic));
  double moments[4] = {};
  for (const Real v : t.span())
    for (int k = 0; k < 4; ++k) moments[k] += std::pow(double(v), k + 1);
  const double n = double(t.size());
  // Expected 0, 1, 0, 3; the powers have variance 1, 2, 15, 96.
  CHECK(std::abs(moments[0] / n) < 5 * std::sqrt(1 / n));
  CHECK(std::abs(moments[1] / n - 1) < 5 * std::sqrt(2 / n));
  CHECK(std::abs(moments[2] / n) < 5 * std::sqrt(15 / n));
  CHECK(std::abs(moments[3] / n - 3) < 5 * std::sqrt(96 / n));
}

TEST_CASE("normal numbers: neighbours are independent, even and odd lanes alike") {
  Tensor t({100'000});
  fill_normal(t, Philox(7, Stream::synthetic));
  for (const Index lag : {1, 2, 3, 4}) {
    double product = 0;
    for (Index i = 0; i + lag < t.size(); ++i) product += double(t[i]) * double(t[i + lag]);
    INFO("lag ", lag);
    CHECK(std::abs(product / double(t.size())) < 5 / std::sqrt(double(t.size())));
  }
}

TEST_CASE("random fills: a number depends on its place alone") {
  Tensor large({103}), small({7});
  fill_normal(large, Philox(8, Stream::synthetic));
  fill_normal(small, Philox(8, Stream::synthetic));
  for (Index i = 0; i < small.size(); ++i) CHECK(small[i] == large[i]);
  Tensor other({7});
  fill_normal(other, Philox(8, Stream::synthetic), {0, 1, 0, 0});
  CHECK(other[0] != small[0]);
}

TEST_CASE("training step: nesting, position, one substream a user") {
  CHECK(TrainingStep::current() == nullptr);
  {
    TrainingStep step({9, 2, 5});
    CHECK(TrainingStep::current() == &step);
    CHECK(step.noise());
    CHECK(step.counter().words() == Philox::Block{2, 5, 0, 0});
    const Philox::Block first = step.generator(Stream::bits)({0, 0, 0, 0});
    const Philox::Block second = step.generator(Stream::bits)({0, 0, 0, 0});
    CHECK(first == Philox(9, Stream::bits, 1)({0, 0, 0, 0}));
    CHECK(second == Philox(9, Stream::bits, 2)({0, 0, 0, 0}));
    {
      TrainingStep inner({9, 2, 6}, false);
      CHECK(TrainingStep::current() == &inner);
      CHECK_FALSE(inner.noise());
    }
    CHECK(TrainingStep::current() == &step);
  }
  CHECK(TrainingStep::current() == nullptr);
}

}  // namespace fraqat::random_test
