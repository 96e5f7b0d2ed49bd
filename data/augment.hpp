#pragma once

#include <cstdint>
#include <memory>

#include "data/dataset.hpp"

/// Decorators that show a sample a little differently in each epoch.  What they
/// do to it is drawn from a random stream of their own, at (seed, epoch, sample):
/// who asks, in which order and on which thread makes no difference.
namespace fraqat::data {

/// A window as large as the image, anywhere within the image after `padding`
/// zeros were put on each side of it.  Around normalised images zero is the mean
/// colour.
class RandomCrop final : public Decorator {
 public:
  RandomCrop(std::shared_ptr<const Dataset> inner, Index padding, std::uint64_t seed);
  std::string hash() const override;

 private:
  void read(Index i, std::span<float> pixels, std::uint32_t epoch) const override;
  std::span<const std::uint8_t> bytes_of(Index) const override { return {}; }

  Index padding_;
  std::uint64_t seed_;
};

/// Left and right exchanged, for every other sample on average.
class RandomFlip final : public Decorator {
 public:
  RandomFlip(std::shared_ptr<const Dataset> inner, std::uint64_t seed);
  std::string hash() const override;

 private:
  void read(Index i, std::span<float> pixels, std::uint32_t epoch) const override;
  std::span<const std::uint8_t> bytes_of(Index) const override { return {}; }

  std::uint64_t seed_;
};

}  // namespace fraqat::data
