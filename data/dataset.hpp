#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.hpp"

namespace fraqat::data {

/// Images with labels.  A source (ByteImages) reads from memory, a decorator
/// (Normalized, FirstSamples) changes what another data set gives.  All const
/// functions may be called from several threads at once.
class Dataset {
 public:
  virtual ~Dataset() = default;

  virtual Index size() const = 0;
  virtual const Shape& sample() const = 0;  // [H, W, C]
  virtual const std::vector<std::string>& class_names() const = 0;
  Index classes() const { return static_cast<Index>(class_names().size()); }

  /// Class of sample `i`, in [0, classes()).
  int label(Index i) const;

  /// Writes sample `i`, H W C numbers.  Sources give 0 to 255.  `epoch` is for
  /// decorators that change an image anew each time (crop, flip).
  void get(Index i, std::span<float> pixels, std::uint32_t epoch = 0) const;

  /// The sample as it lies in memory, where it does so as bytes; else empty.
  std::span<const std::uint8_t> bytes(Index i) const;

  /// Tells the data from all others: a SHA-256, and which decorators crop, flip or leave out;
  /// means, deviations and seeds are not in it.
  virtual std::string hash() const = 0;

 private:
  void check_sample(Index i) const;

  // The same, for a sample that there is.
  virtual int label_of(Index i) const = 0;
  virtual void read(Index i, std::span<float> pixels, std::uint32_t epoch) const = 0;
  virtual std::span<const std::uint8_t> bytes_of(Index /*i*/) const { return {}; }
};

/// A data set held in memory, one byte a channel.
class ByteImages final : public Dataset {
 public:
  /// `pixels` are shape [labels.size(), H, W, C]; the labels are checked.
  ByteImages(const Shape& sample, std::vector<std::uint8_t> pixels,
             std::vector<std::uint8_t> labels, std::vector<std::string> class_names,
             std::string hash);

  Index size() const override { return static_cast<Index>(labels_.size()); }
  const Shape& sample() const override { return sample_; }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  std::string hash() const override { return hash_; }

 private:
  int label_of(Index i) const override { return labels_[static_cast<std::size_t>(i)]; }
  void read(Index i, std::span<float> pixels, std::uint32_t epoch) const override;
  std::span<const std::uint8_t> bytes_of(Index i) const override;

  Shape sample_;
  std::vector<std::uint8_t> pixels_, labels_;
  std::vector<std::string> class_names_;
  std::string hash_;
};

/// (x / 255 - mean) / deviation, one mean and one deviation per channel.
struct Normalization {
  std::vector<double> mean, deviation;

  float operator()(float x, std::size_t channel) const {
    return static_cast<float>((double{x} / 255 - mean[channel]) / deviation[channel]);
  }
  bool operator==(const Normalization&) const = default;
};

/// Does what every decorator does that leaves samples as they are.
class Decorator : public Dataset {
 public:
  explicit Decorator(std::shared_ptr<const Dataset> inner) : inner_(std::move(inner)) {}

  Index size() const override { return inner_->size(); }
  const Shape& sample() const override { return inner_->sample(); }
  const std::vector<std::string>& class_names() const override { return inner_->class_names(); }
  std::string hash() const override { return inner_->hash(); }

 protected:
  const Dataset& inner() const { return *inner_; }

 private:
  int label_of(Index i) const override { return inner_->label(i); }
  void read(Index i, std::span<float> pixels, std::uint32_t epoch) const override {
    inner_->get(i, pixels, epoch);
  }
  std::span<const std::uint8_t> bytes_of(Index i) const override { return inner_->bytes(i); }

  std::shared_ptr<const Dataset> inner_;
};

/// Normalised pixels.  A byte has 256 values only, so those that come as bytes
/// are looked up in a table of 256 per channel.
class Normalized final : public Decorator {
 public:
  Normalized(std::shared_ptr<const Dataset> inner, Normalization normalization);

 private:
  void read(Index i, std::span<float> pixels, std::uint32_t epoch) const override;
  std::span<const std::uint8_t> bytes_of(Index) const override { return {}; }

  Normalization normalization_;
  std::vector<float> table_;  // [C, 256]
};

/// The first `count` samples (all, if there are no more).
class FirstSamples final : public Decorator {
 public:
  FirstSamples(std::shared_ptr<const Dataset> inner, Index count);
  Index size() const override { return count_; }
  std::string hash() const override;

 private:
  Index count_;
};

}  // namespace fraqat::data
