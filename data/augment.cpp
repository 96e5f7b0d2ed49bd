#include "data/augment.hpp"

#include <algorithm>
#include <cstring>

#include "core/random.hpp"

namespace fraqat::data {
namespace {

// The substreams of Stream::augment; part of the format of a run.
constexpr std::uint32_t crop_substream = 0, flip_substream = 1;

Philox::Block draw(std::uint64_t seed, std::uint32_t substream, std::uint32_t epoch, Index sample) {
  const Counter at{epoch, 0, static_cast<std::uint32_t>(sample), 0};
  return Philox(seed, Stream::augment, substream)(at.words());
}

/// Uniform in [0, n), but for a bias of n / 2^32.
Index below(Index n, std::uint32_t bits) {
  return static_cast<Index>((static_cast<std::uint64_t>(n) * bits) >> 32);
}

/// row[x] becomes from[x + right], zero where there is no such pixel.
void shift_row(float* row, const float* from, Index width, Index channels, Index right) {
  const Index first = std::clamp<Index>(-right, 0, width);
  const Index last = std::clamp<Index>(width - right, 0, width);
  if (first < last)  // may be the same row, so that the two ranges overlap
    std::memmove(row + first * channels, from + (first + right) * channels,
                 static_cast<std::size_t>((last - first) * channels) * sizeof(float));
  std::fill(row, row + first * channels, 0.0f);
  std::fill(row + last * channels, row + width * channels, 0.0f);
}

/// image[y, x] becomes image[y + down, x + right], zero where there is no such pixel.
void shift(std::span<float> pixels, const Shape& sample, Index down, Index right) {
  const Index height = sample[0], width = sample[1], channels = sample[2];
  const Index row = width * channels;
  for (Index k = 0; k < height; ++k) {
    const Index y = down >= 0 ? k : height - 1 - k;  // rows still to be read stay as they are
    float* to = pixels.data() + y * row;
    if (y + down < 0 || y + down >= height)
      std::fill(to, to + row, 0.0f);
    else
      shift_row(to, pixels.data() + (y + down) * row, width, channels, right);
  }
}

}  // namespace

RandomCrop::RandomCrop(std::shared_ptr<const Dataset> inner, Index padding, std::uint64_t seed)
    : Decorator(std::move(inner)), padding_(padding), seed_(seed) {
  check(padding >= 0 && padding <= sample()[0] && padding <= sample()[1],
        "[crop] bad padding: got ", padding, " for images ", sample(),
        "; expected 0 to their height and width");
}

std::string RandomCrop::hash() const {
  return Decorator::hash() + ":crop-" + std::to_string(padding_);
}

void RandomCrop::read(Index i, std::span<float> pixels, std::uint32_t epoch) const {
  inner().get(i, pixels, epoch);
  const Philox::Block bits = draw(seed_, crop_substream, epoch, i);
  const Index places = 2 * padding_ + 1;
  shift(pixels, sample(), below(places, bits[0]) - padding_, below(places, bits[1]) - padding_);
}

RandomFlip::RandomFlip(std::shared_ptr<const Dataset> inner, std::uint64_t seed)
    : Decorator(std::move(inner)), seed_(seed) {}

std::string RandomFlip::hash() const { return Decorator::hash() + ":flip"; }

void RandomFlip::read(Index i, std::span<float> pixels, std::uint32_t epoch) const {
  inner().get(i, pixels, epoch);
  if (below(2, draw(seed_, flip_substream, epoch, i)[0]) == 0) return;
  const Index width = sample()[1], channels = sample()[2];
  for (auto row = pixels.begin(); row != pixels.end(); row += width * channels)
    for (Index left = 0, right = width - 1; left < right; ++left, --right)
      std::swap_ranges(row + left * channels, row + (left + 1) * channels, row + right * channels);
}

}  // namespace fraqat::data
