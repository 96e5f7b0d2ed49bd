#include "data/augment.hpp"

#include <doctest/doctest.h>

#include <array>
#include <map>
#include <set>

#include "core/parallel.hpp"
#include "core/random.hpp"
#include "data/loader.hpp"

namespace fraqat::augment_test {

using namespace fraqat::data;

namespace {

constexpr Index height = 5, width = 4, channels = 3;
const Shape shape{height, width, channels};

/// 1 + what is unique to (sample, row, column, channel), so that 0 is padding.
float value(Index i, Index y, Index x, Index c) {
  return static_cast<float>(1 + ((i * height + y) * width + x) * channels + c);
}

class Images final : public Dataset {
 public:
  explicit Images(Index size) : size_(size) {}
  Index size() const override { return size_; }
  const Shape& sample() const override { return shape; }
  const std::vector<std::string>& class_names() const override { return names_; }
  std::string hash() const override { return "images"; }

 private:
  int label_of(Index i) const override { return static_cast<int>(i % 2); }
  void read(Index i, std::span<float> pixels, std::uint32_t) const override {
    std::size_t p = 0;
    for (Index y = 0; y < height; ++y)
      for (Index x = 0; x < width; ++x)
        for (Index c = 0; c < channels; ++c) pixels[p++] = value(i, y, x, c);
  }

  Index size_;
  std::vector<std::string> names_{"even", "odd"};
};

std::vector<float> sample(const Dataset& set, Index i, std::uint32_t epoch) {
  std::vector<float> pixels(static_cast<std::size_t>(shape.size()));
  set.get(i, pixels, epoch);
  return pixels;
}

/// Sample i seen through a window that begins at (top, left) of the image; with
/// `mirrored`, from behind.
std::vector<float> window(Index i, Index top, Index left, bool mirrored = false) {
  std::vector<float> pixels;
  for (Index y = top; y < top + height; ++y)
    for (Index k = 0; k < width; ++k)
      for (Index c = 0; c < channels; ++c) {
        const Index x = left + (mirrored ? width - 1 - k : k);
        const bool inside = y >= 0 && y < height && x >= 0 && x < width;
        pixels.push_back(inside ? value(i, y, x, c) : 0);
      }
  return pixels;
}

std::shared_ptr<const Dataset> crop_flip(Index size, std::uint64_t seed) {
  return std::make_shared<RandomFlip>(
      std::make_shared<RandomCrop>(std::make_shared<Images>(size), 2, seed), seed);
}

}  // namespace

TEST_CASE("crop: a window of the padded image, each place as often as any other") {
  const RandomCrop set(std::make_shared<Images>(500), 2, 1);
  std::map<std::pair<Index, Index>, int> seen;
  for (std::uint32_t epoch = 0; epoch < 10; ++epoch)
    for (Index i = 0; i < set.size(); ++i) {
      const std::vector<float> pixels = sample(set, i, epoch);
      for (Index top = -2; top <= 2; ++top)
        for (Index left = -2; left <= 2; ++left)
          if (pixels == window(i, top, left)) ++seen[{top, left}];
    }
  CHECK(seen.size() == 25);
  int total = 0;
  for (const auto& [place, count] : seen) {
    total += count;
    CHECK(std::abs(count - 200) < 70);  // 5 deviations of a binomial with p = 1/25
  }
  CHECK(total == 5000);  // every sample is exactly one window
}

TEST_CASE("crop: as far as the image goes, and not at all") {
  const RandomCrop far(std::make_shared<Images>(400), 4, 1);
  std::set<Index> lefts;
  for (Index i = 0; i < far.size(); ++i) {
    const std::vector<float> pixels = sample(far, i, 0);
    bool known = false;
    for (Index top = -4; top <= 4; ++top)
      for (Index left = -4; left <= 4; ++left)
        if (pixels == window(i, top, left)) known = true, lefts.insert(left);
    CHECK(known);
  }
  CHECK(lefts.size() == 9);
  const RandomCrop none(std::make_shared<Images>(9), 0, 1);
  for (Index i = 0; i < none.size(); ++i) CHECK(sample(none, i, 3) == window(i, 0, 0));
  CHECK_THROWS_WITH_AS(RandomCrop(std::make_shared<Images>(9), 5, 1),
                       "[crop] bad padding: got 5 for images [5, 4, 3]; expected 0 to their height "
                       "and width",
                       Error);
  CHECK_THROWS_AS(RandomCrop(std::make_shared<Images>(9), -1, 1), Error);
}

TEST_CASE("flip: half of the samples, mirrored as a whole") {
  const RandomFlip set(std::make_shared<Images>(1000), 1);
  int mirrored = 0;
  for (std::uint32_t epoch = 0; epoch < 4; ++epoch)
    for (Index i = 0; i < set.size(); ++i) {
      const bool flipped = sample(set, i, epoch) == window(i, 0, 0, true);
      mirrored += flipped;
      if (!flipped) CHECK(sample(set, i, epoch) == window(i, 0, 0));
    }
  CHECK(std::abs(mirrored - 2000) < 160);  // 5 deviations
}

TEST_CASE("augmentation: the draws are those of Philox at (seed, epoch, sample)") {
  const std::uint64_t seed = 7;
  const auto set = crop_flip(50, seed);
  const Philox crop(seed, Stream::augment, 0), flip(seed, Stream::augment, 1);
  for (const std::uint32_t epoch : {0u, 3u, 4000000000u})
    for (Index i = 0; i < 50; ++i) {
      const auto sample_word = static_cast<std::uint32_t>(i);
      const Philox::Block where = crop({epoch, 0, sample_word, 0});
      const Index top = static_cast<Index>(5.0 * where[0] / 4294967296.0) - 2;
      const Index left = static_cast<Index>(5.0 * where[1] / 4294967296.0) - 2;
      const bool mirrored = flip({epoch, 0, sample_word, 0})[0] >= 0x80000000u;
      CHECK(sample(*set, i, epoch) == window(i, top, left, mirrored));
    }
}

TEST_CASE("augmentation: epochs, samples and seeds differ, asking again does not") {
  const auto a = crop_flip(64, 1), b = crop_flip(64, 2);
  int same_epoch = 0, same_seed = 0;
  for (Index i = 0; i < 64; ++i) {
    CHECK(sample(*a, i, 5) == sample(*a, i, 5));
    same_epoch += sample(*a, i, 5) == sample(*a, i, 6);
    same_seed += sample(*a, i, 5) == sample(*b, i, 5);
  }
  CHECK(same_epoch < 12);  // 1 in 50 is expected
  CHECK(same_seed < 12);
  CHECK(a->label(3) == 1);
  CHECK(a->bytes(3).empty());
  CHECK(a->hash() == "images:crop-2:flip");
}

TEST_CASE(
    "augmentation: the same bits with and without prefetch, for any threads, resumed or not") {
  const int before = thread_count();
  std::vector<std::vector<float>> expected;
  for (const int threads : {1, 2, 3, 4})
    for (const bool prefetch : {false, true}) {
      set_thread_count(threads);
      LoaderOptions options;
      options.batch = 10;
      options.prefetch = prefetch;
      Loader loader(crop_flip(47, 1), options);
      std::vector<std::vector<float>> batches;
      for (const auto& [epoch, first] : {std::pair(0u, 0), std::pair(1u, 0), std::pair(1u, 3)}) {
        loader.start_epoch(epoch, first);
        while (const Batch* batch = loader.next())
          batches.emplace_back(batch->images.span().begin(), batch->images.span().end());
      }
      REQUIRE(batches.size() == 5 + 5 + 2);
      CHECK(batches[10] == batches[8]);  // where a resumed run goes on
      CHECK(batches[11] == batches[9]);
      CHECK(batches[0] != batches[5]);
      if (expected.empty()) expected = batches;
      CHECK(batches == expected);
    }
  set_thread_count(before);
}

}  // namespace fraqat::augment_test
