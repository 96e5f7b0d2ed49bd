#include "data/dataset.hpp"

#include <algorithm>
#include <cmath>

namespace fraqat::data {

void Dataset::check_sample(Index i) const {
  check(i >= 0 && i < size(), "[data] no such sample: got ", i, "; expected 0 to ", size() - 1);
}

int Dataset::label(Index i) const {
  check_sample(i);
  return label_of(i);
}

std::span<const std::uint8_t> Dataset::bytes(Index i) const {
  check_sample(i);
  return bytes_of(i);
}

void Dataset::get(Index i, std::span<float> pixels, std::uint32_t epoch) const {
  check_sample(i);
  check(static_cast<Index>(pixels.size()) == sample().size(),
        "[data] wrong room for a sample: got ", pixels.size(), " numbers; expected ",
        sample().size());
  read(i, pixels, epoch);
}

ByteImages::ByteImages(const Shape& sample, std::vector<std::uint8_t> pixels,
                       std::vector<std::uint8_t> labels, std::vector<std::string> class_names,
                       std::string hash)
    : sample_(sample),
      pixels_(std::move(pixels)),
      labels_(std::move(labels)),
      class_names_(std::move(class_names)),
      hash_(std::move(hash)) {
  check(sample.rank() == 3 && sample.size() > 0, "[data] bad shape of a sample: got ", sample,
        "; expected [H, W, C]");
  check(static_cast<Index>(pixels_.size()) == size() * sample.size(),
        "[data] wrong number of pixels: got ", pixels_.size(), "; expected ", size(),
        " samples of shape ", sample);
  for (std::size_t i = 0; i < labels_.size(); ++i)
    check(Index{labels_[i]} < classes(), "[data] bad label of sample ", i, ": got ",
          int{labels_[i]}, "; expected a class below ", classes());
}

std::span<const std::uint8_t> ByteImages::bytes_of(Index i) const {
  const auto length = static_cast<std::size_t>(sample_.size());
  return std::span(pixels_).subspan(static_cast<std::size_t>(i) * length, length);
}

void ByteImages::read(Index i, std::span<float> pixels, std::uint32_t) const {
  const std::span<const std::uint8_t> stored = bytes_of(i);
  std::copy(stored.begin(), stored.end(), pixels.begin());
}

Normalized::Normalized(std::shared_ptr<const Dataset> inner, Normalization normalization)
    : Decorator(std::move(inner)), normalization_(std::move(normalization)) {
  const auto channels = static_cast<std::size_t>(sample()[-1]);
  const auto& [mean, deviation] = normalization_;
  check(mean.size() == channels && deviation.size() == channels, "[data] wrong normalisation: got ",
        mean.size(), " means and ", deviation.size(), " deviations; expected one of each for ",
        channels, " channels");
  for (std::size_t c = 0; c < channels; ++c) {
    check(std::isfinite(mean[c]) && std::isfinite(deviation[c]) && deviation[c] > 0,
          "[data] bad normalisation of channel ", c, ": got mean ", mean[c], ", deviation ",
          deviation[c], "; expected finite numbers and a deviation > 0");
    for (int byte = 0; byte < 256; ++byte)
      table_.push_back(normalization_(static_cast<float>(byte), c));
  }
}

void Normalized::read(Index i, std::span<float> pixels, std::uint32_t epoch) const {
  const std::size_t channels = normalization_.mean.size();
  const std::span<const std::uint8_t> stored = inner().bytes(i);
  if (stored.empty()) {
    inner().get(i, pixels, epoch);
    for (std::size_t p = 0; p < pixels.size(); ++p)
      pixels[p] = normalization_(pixels[p], p % channels);
    return;
  }
  for (std::size_t p = 0; p < stored.size(); p += channels)
    for (std::size_t c = 0; c < channels; ++c) pixels[p + c] = table_[c * 256 + stored[p + c]];
}

FirstSamples::FirstSamples(std::shared_ptr<const Dataset> inner, Index count)
    : Decorator(std::move(inner)), count_(std::min(count, Decorator::size())) {
  check(count > 0, "[data] empty selection: got the first ", count, " samples; expected 1 or more");
}

std::string FirstSamples::hash() const {
  if (count_ == Decorator::size()) return Decorator::hash();
  return Decorator::hash() + ":first-" + std::to_string(count_);
}

}  // namespace fraqat::data
