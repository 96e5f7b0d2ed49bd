#include "data/loader.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "data/synthetic.hpp"

namespace fraqat::loader_test {

using namespace fraqat::data;

namespace {

/// `size` samples of one pixel whose value is their number; sample `bad` throws.
class Numbers final : public Dataset {
 public:
  explicit Numbers(Index size, Index bad = -1) : size_(size), bad_(bad) {}
  Index size() const override { return size_; }
  const Shape& sample() const override { return sample_; }
  const std::vector<std::string>& class_names() const override { return names_; }
  std::string hash() const override { return "numbers"; }

 private:
  int label_of(Index i) const override { return static_cast<int>(i % 2); }
  void read(Index i, std::span<float> pixels, std::uint32_t) const override {
    check(i != bad_, "[numbers] sample ", i, " cannot be read");
    pixels[0] = static_cast<float>(i);
  }

  Index size_, bad_;
  Shape sample_{1, 1, 1};
  std::vector<std::string> names_{"even", "odd"};
};

LoaderOptions options(Index batch, bool prefetch) {
  LoaderOptions o;
  o.batch = batch;
  o.prefetch = prefetch;
  return o;
}

/// The numbers of what is left of the epoch, batch by batch.
std::vector<std::vector<float>> rest(Loader& loader) {
  std::vector<std::vector<float>> batches;
  while (const Batch* batch = loader.next()) {
    batches.emplace_back(batch->images.span().begin(), batch->images.span().end());
    for (Index n = 0; n < batch->labels.size(); ++n)
      CHECK(batch->labels[n] == static_cast<float>(static_cast<int>(batch->images[n]) % 2));
  }
  return batches;
}

std::vector<std::vector<float>> epoch(Loader& loader, std::uint32_t number, Index first = 0) {
  loader.start_epoch(number, first);
  return rest(loader);
}

}  // namespace

TEST_CASE("loader: an epoch is a range") {
  const auto numbers = std::make_shared<Numbers>(10);
  for (const bool prefetch : {false, true}) {
    Loader loader(numbers, options(4, prefetch));
    for (const std::uint32_t number : {3u, 4u}) {
      const auto expected = epoch(loader, number);
      std::vector<std::vector<float>> seen;
      for (const Batch& batch : loader.epoch(number))
        seen.emplace_back(batch.images.span().begin(), batch.images.span().end());
      CHECK(seen == expected);
    }
    CHECK(loader.epoch(3).begin()->images[0] == epoch(loader, 3)[0][0]);
  }
}

TEST_CASE("shuffle: every element once, a function of seed and epoch alone") {
  for (const std::size_t size : {1u, 2u, 3u, 10u, 1001u}) {
    std::vector<std::uint32_t> order(size);
    shuffle(order, 1, 0);
    const std::vector<std::uint32_t> first = order;
    shuffle(order, 1, 0);
    CHECK(order == first);
    std::sort(order.begin(), order.end());
    for (std::size_t i = 0; i < size; ++i) CHECK(order[i] == i);
  }
  std::vector<std::uint32_t> a(1000), b(1000);
  shuffle(a, 1, 0);
  shuffle(b, 1, 1);
  CHECK(a != b);
  shuffle(b, 2, 0);
  CHECK(a != b);
}

TEST_CASE("shuffle: each of the 24 orders of 4 elements comes up about as often") {
  std::map<std::vector<std::uint32_t>, int> seen;
  std::vector<std::uint32_t> order(4);
  for (std::uint32_t e = 0; e < 24000; ++e) {
    shuffle(order, 7, e);
    ++seen[order];
  }
  CHECK(seen.size() == 24);
  for (const auto& [permutation, count] : seen) {
    CHECK(count > 850);  // 1000 expected, deviation 31
    CHECK(count < 1150);
  }
}

TEST_CASE("shuffle: the order is part of the format of a run") {
  std::vector<std::uint32_t> order(10);
  shuffle(order, 1, 0);
  CHECK(order == std::vector<std::uint32_t>{5, 8, 1, 0, 6, 2, 9, 3, 4, 7});
}

TEST_CASE("loader: every sample exactly once, the last batch ragged or dropped") {
  for (const bool prefetch : {false, true}) {
    Loader loader(std::make_shared<Numbers>(23), options(5, prefetch));
    CHECK(loader.steps_per_epoch() == 5);
    std::set<float> seen;
    const auto batches = epoch(loader, 0);
    REQUIRE(batches.size() == 5);
    CHECK(batches[4].size() == 3);
    for (const auto& batch : batches) seen.insert(batch.begin(), batch.end());
    CHECK(seen.size() == 23);

    LoaderOptions dropping = options(5, prefetch);
    dropping.drop_last = true;
    Loader full(std::make_shared<Numbers>(23), dropping);
    CHECK(full.steps_per_epoch() == 4);
    const auto same = epoch(full, 0);
    CHECK(std::equal(same.begin(), same.end(), batches.begin(), batches.end() - 1));
  }
}

TEST_CASE("loader: without shuffling the order is the data set's") {
  LoaderOptions o = options(4, true);
  o.shuffle = false;
  Loader loader(std::make_shared<Numbers>(6), o);
  for (std::uint32_t e = 0; e < 3; ++e)
    CHECK(epoch(loader, e) == std::vector<std::vector<float>>{{0, 1, 2, 3}, {4, 5}});
}

TEST_CASE("loader: the order depends on seed and epoch, not on what came before or on prefetch") {
  const auto set = std::make_shared<Numbers>(101);
  Loader ahead(set, options(8, true)), plain(set, options(8, false));
  for (const std::uint32_t e : {0u, 1u, 2u, 1u, 0u, 7u}) CHECK(epoch(ahead, e) == epoch(plain, e));
  CHECK(epoch(plain, 0) != epoch(plain, 1));
  LoaderOptions other = options(8, false);
  other.seed = 2;
  Loader seeded(set, other);
  CHECK(epoch(seeded, 0) != epoch(plain, 0));
}

TEST_CASE("loader: prefetch and none give the same bits on images") {
  const auto set =
      std::make_shared<Normalized>(synthetic_bars(0, 300), Normalization{{0.17}, {0.19}});
  Loader ahead(set, options(64, true)), plain(set, options(64, false));
  for (std::uint32_t e = 0; e < 3; ++e) {
    ahead.start_epoch(e);
    plain.start_epoch(e);
    Index step = 0;
    while (const Batch* a = ahead.next()) {
      const Batch* b = plain.next();
      REQUIRE(b);
      CHECK(a->images.shape() == b->images.shape());
      CHECK(a->images.rank() == 4);
      CHECK(std::ranges::equal(a->images.span(), b->images.span()));
      CHECK(std::ranges::equal(a->labels.span(), b->labels.span()));
      CHECK(a->epoch == e);
      CHECK(a->step == step);
      CHECK(b->step == step++);
    }
    CHECK_FALSE(plain.next());
  }
}

TEST_CASE("loader: an epoch begun in the middle goes on as if never stopped") {
  for (const bool prefetch : {false, true}) {
    Loader loader(std::make_shared<Numbers>(50), options(7, prefetch));
    const auto whole = epoch(loader, 3);
    for (Index first = 0; first <= loader.steps_per_epoch(); ++first) {
      const auto part = epoch(loader, 3, first);
      CHECK(std::equal(part.begin(), part.end(), whole.begin() + first, whole.end()));
    }
    CHECK_THROWS_AS(loader.start_epoch(0, 9), Error);
    CHECK_THROWS_AS(loader.start_epoch(0, -1), Error);
  }
}

TEST_CASE("loader: an epoch may be left at any batch, and the loader at any time") {
  for (Index left_after = 0; left_after < 6; ++left_after) {
    Loader loader(std::make_shared<Numbers>(20), options(4, true));
    for (std::uint32_t e = 0; e < 5; ++e) {
      loader.start_epoch(e);
      for (Index i = 0; i < left_after; ++i) loader.next();
    }
    CHECK(epoch(loader, 9).size() == 5);
    loader.start_epoch(10);
  }
  const Loader never_used(std::make_shared<Numbers>(20), options(4, true));
}

TEST_CASE("loader: a new epoch does not mix with a batch still under way") {
  class Slow final : public Decorator {
   public:
    using Decorator::Decorator;

   private:
    int label_of(Index i) const override {
      std::this_thread::sleep_for(std::chrono::microseconds(300));
      return inner().label(i);
    }
  };
  const auto set = std::make_shared<Numbers>(12);
  Loader slow(std::make_shared<Slow>(set), options(6, true)), plain(set, options(6, false));
  for (std::uint32_t e = 0; e < 10; ++e) {
    slow.start_epoch(100 + e);
    std::this_thread::sleep_for(std::chrono::microseconds(500));
    CHECK(epoch(slow, e) == epoch(plain, e));
  }
}

TEST_CASE("loader: before the first epoch and after the last batch there is nothing") {
  for (const bool prefetch : {false, true}) {
    Loader loader(std::make_shared<Numbers>(4), options(4, prefetch));
    CHECK_FALSE(loader.next());
    epoch(loader, 0);
    CHECK_FALSE(loader.next());
    CHECK_FALSE(loader.next());
  }
}

TEST_CASE("loader: tensors are used again, unless somebody holds them") {
  for (const bool prefetch : {false, true}) {
    Loader loader(std::make_shared<Numbers>(400), options(4, prefetch));
    loader.start_epoch(0);
    std::set<const float*> places;
    for (int i = 0; i < 50; ++i) places.insert(loader.next()->images.data());
    CHECK(places.size() <= 3);

    std::vector<Tensor> held;
    std::vector<std::vector<float>> copies;
    while (const Batch* batch = loader.next()) {
      held.push_back(batch->images);
      copies.emplace_back(batch->images.span().begin(), batch->images.span().end());
    }
    REQUIRE(held.size() == 50);
    for (std::size_t i = 0; i < held.size(); ++i)
      CHECK(std::ranges::equal(held[i].span(), copies[i]));
  }
}

TEST_CASE("loader: what the data set throws arrives in next(), after the good batches") {
  for (const bool prefetch : {false, true}) {
    LoaderOptions o = options(4, prefetch);
    o.shuffle = false;
    Loader loader(std::make_shared<Numbers>(20, 9), o);
    loader.start_epoch(0);
    CHECK(loader.next());
    CHECK(loader.next());
    for (int i = 0; i < 2; ++i)
      CHECK_THROWS_WITH_AS(loader.next(), "[numbers] sample 9 cannot be read", Error);
    loader.start_epoch(0, 3);
    CHECK(rest(loader).size() == 2);
  }
}

TEST_CASE("loader: prefetch really runs ahead, and never further than the ring") {
  class Counting final : public Decorator {
   public:
    using Decorator::Decorator;
    mutable std::atomic<int> labels{0};

   private:
    int label_of(Index i) const override {
      ++labels;
      return inner().label(i);
    }
  };
  const auto set = std::make_shared<Counting>(std::make_shared<Numbers>(40));
  Loader loader(set, options(1, true));
  loader.start_epoch(0);
  loader.next();
  for (int i = 0; i < 2000 && set->labels < 3; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(set->labels == 3);
}

TEST_CASE("loader: bad options are refused") {
  const auto set = std::make_shared<Numbers>(10);
  CHECK_THROWS_AS(Loader(set, options(0, false)), Error);
  CHECK_THROWS_AS(Loader(set, options(-1, true)), Error);
  CHECK_THROWS_AS(Loader(std::make_shared<Numbers>(0), options(1, false)), Error);
  LoaderOptions dropping = options(11, true);
  dropping.drop_last = true;
  CHECK_THROWS_AS(Loader(set, dropping), Error);
  for (const Index batch : {Index{11}, std::numeric_limits<Index>::max()}) {
    Loader larger(set, options(batch, true));
    CHECK(epoch(larger, 0).size() == 1);
  }
}

}  // namespace fraqat::loader_test
