#include "data/dataset.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "data/synthetic.hpp"

namespace fraqat::dataset_test {

using namespace fraqat::data;

namespace {

/// One pixel of two channels, ten samples, sample i holding 2 i and 255 - i.
std::shared_ptr<const ByteImages> tiny() {
  std::vector<std::uint8_t> pixels, labels;
  for (std::uint8_t i = 0; i < 10; ++i) {
    labels.push_back(i % 3);
    pixels.push_back(static_cast<std::uint8_t>(2 * i));
    pixels.push_back(static_cast<std::uint8_t>(255 - i));
  }
  return std::make_shared<ByteImages>(Shape{1, 1, 2}, pixels, labels,
                                      std::vector<std::string>{"a", "b", "c"}, "tiny");
}

/// The same samples without bytes, as a later decorator would give them.
class Computed final : public Decorator {
 public:
  using Decorator::Decorator;

 private:
  std::span<const std::uint8_t> bytes_of(Index) const override { return {}; }
};

std::array<float, 2> sample(const Dataset& set, Index i) {
  std::array<float, 2> numbers{};
  set.get(i, numbers);
  return numbers;
}

}  // namespace

TEST_CASE("byte images: wrong sizes and labels are refused") {
  const std::vector<std::string> names = {"a", "b"};
  CHECK_THROWS_AS(ByteImages(Shape{1, 2, 1}, {1, 2, 3}, {0, 1}, names, ""), Error);
  CHECK_THROWS_AS(ByteImages(Shape{2, 1}, {1, 2, 3, 4}, {0, 1}, names, ""), Error);
  CHECK_THROWS_WITH_AS(ByteImages(Shape{1, 2, 1}, {1, 2, 3, 4}, {0, 2}, names, ""),
                       "[data] bad label of sample 1: got 2; expected a class below 2", Error);
}

TEST_CASE("dataset: a sample that is not there has no label and no bytes") {
  const auto set = tiny();
  CHECK(set->label(9) == 0);
  CHECK(set->bytes(9)[0] == 18);
  const FirstSamples some(set, 3);
  for (const Dataset* all :
       {static_cast<const Dataset*>(set.get()), static_cast<const Dataset*>(&some)})
    for (const Index i : {Index{-1}, all->size(), Index{1000000}}) {
      CHECK_THROWS_WITH_AS(all->label(i), doctest::Contains("[data] no such sample: got "), Error);
      CHECK_THROWS_WITH_AS(all->bytes(i), doctest::Contains("[data] no such sample: got "), Error);
    }
}

TEST_CASE("normalisation: (x / 255 - mean) / deviation, per channel") {
  const Normalized set(tiny(), {{0.5, 0.25}, {0.5, 2}});
  const auto [a, b] = sample(set, 0);  // 0 and 255
  CHECK(a == -1);
  CHECK(b == 0.375f);
  const auto [c, d] = sample(set, 5);  // 10 and 250
  CHECK(double{c} == doctest::Approx((10 / 255.0 - 0.5) / 0.5).epsilon(1e-7));
  CHECK(double{d} == doctest::Approx((250 / 255.0 - 0.25) / 2).epsilon(1e-7));
}

TEST_CASE("normalisation: table and formula give the same bits") {
  const Normalization normalization{{0.2860, 0.4}, {0.3530, 0.17}};
  const Normalized fast(tiny(), normalization);
  const Normalized slow(std::make_shared<Computed>(tiny()), normalization);
  for (Index i = 0; i < fast.size(); ++i) CHECK(sample(fast, i) == sample(slow, i));
}

TEST_CASE("normalisation: bad numbers are refused") {
  CHECK_THROWS_AS(Normalized(tiny(), {{0.5}, {0.5}}), Error);
  CHECK_THROWS_AS(Normalized(tiny(), {{0.5, 0.5}, {0.5, 0}}), Error);
  CHECK_THROWS_AS(Normalized(tiny(), {{0.5, 0.5}, {0.5, -1}}), Error);
  CHECK_THROWS_AS(Normalized(tiny(), {{0.5, std::nan("")}, {0.5, 1}}), Error);
}

TEST_CASE("first samples") {
  const FirstSamples some(tiny(), 4), all(tiny(), 99);
  CHECK(some.size() == 4);
  CHECK(sample(some, 3) == std::array{6.0f, 252.0f});
  CHECK_THROWS_AS(sample(some, 4), Error);
  CHECK(some.hash() == "tiny:first-4");
  CHECK(all.size() == 10);
  CHECK(all.hash() == "tiny");
  CHECK_THROWS_AS(FirstSamples(tiny(), 0), Error);
}

TEST_CASE("synthetic: the same always, parts differ, more samples begin alike") {
  const auto a = synthetic_bars(0, 40), b = synthetic_bars(0, 80), other = synthetic_bars(1, 40);
  CHECK(a->hash() == synthetic_bars(0, 40)->hash());
  CHECK(a->hash() != other->hash());
  for (Index i = 0; i < 40; ++i)
    CHECK(std::equal(a->bytes(i).begin(), a->bytes(i).end(), b->bytes(i).begin()));
  CHECK(a->hash() ==
        "c3a884673dd99e5beafeb4d6f8e00bae0cfc96f3afa1c00f9a056a12b31d99f6");  // part of the format:
                                                                              // tests elsewhere
                                                                              // rely on it
}

TEST_CASE("synthetic: classes can be told apart by their mean images") {
  const auto train = synthetic_bars(0, 1000), test = synthetic_bars(1, 500);
  std::vector<std::vector<double>> mean(10, std::vector<double>(784));
  for (Index i = 0; i < train->size(); ++i)
    for (std::size_t p = 0; p < 784; ++p)
      mean[static_cast<std::size_t>(train->label(i))][p] += train->bytes(i)[p] / 100.0;
  int right = 0;
  for (Index i = 0; i < test->size(); ++i) {
    std::vector<double> distance(10);
    for (std::size_t k = 0; k < 10; ++k)
      for (std::size_t p = 0; p < 784; ++p)
        distance[k] += std::pow(test->bytes(i)[p] - mean[k][p], 2);
    right +=
        std::min_element(distance.begin(), distance.end()) - distance.begin() == test->label(i);
  }
  CHECK(right > 250);  // chance: 50 of 500
}

}  // namespace fraqat::dataset_test
