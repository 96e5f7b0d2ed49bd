#include "data/image.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace fraqat::data {
namespace {

/// The source positions that make one target position, and their weights.
struct Taps {
  Index first;
  std::vector<double> weights;  // their sum is 1
};

std::vector<Taps> triangle_taps(Index from, Index to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double half_width = std::max(scale, 1.0);
  std::vector<Taps> all;
  for (Index i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<Index>(0, static_cast<Index>(std::floor(centre - half_width)));
    const auto last = std::min<Index>(from, static_cast<Index>(std::ceil(centre + half_width)));
    Taps taps{first, {}};
    double sum = 0;
    for (Index j = first; j < last; ++j) {
      const double distance = std::abs(static_cast<double>(j) + 0.5 - centre);
      taps.weights.push_back(std::max(0.0, 1 - distance / half_width));
      sum += taps.weights.back();
    }
    for (double& weight : taps.weights) weight /= sum;
    all.push_back(std::move(taps));
  }
  return all;
}

/// Resamples axis 1 of x[rows, from, channels].
std::vector<double> resample(const std::vector<double>& x, Index rows, Index from, Index to,
                             Index channels) {
  const std::vector<Taps> taps = triangle_taps(from, to);
  std::vector<double> y(static_cast<std::size_t>(rows * to * channels), 0.0);
  for (Index row = 0; row < rows; ++row)
    for (Index i = 0; i < to; ++i) {
      double* target = y.data() + (row * to + i) * channels;
      const double* source = x.data() + (row * from + taps[i].first) * channels;
      for (double weight : taps[i].weights)
        for (Index c = 0; c < channels; ++c) target[c] += weight * *source++;
    }
  return y;
}

Image resized(const Image& image, Index height, Index width) {
  std::vector<double> x(image.pixels.begin(), image.pixels.end());
  x = resample(x, image.height, image.width, width, image.channels);
  // Rows as one axis, everything in a row as channels.
  x = resample(x, 1, image.height, height, width * image.channels);
  Image result{height, width, image.channels, {}};
  result.pixels.reserve(x.size());
  for (double value : x)
    result.pixels.push_back(static_cast<std::uint8_t>(std::clamp(value + 0.5, 0.0, 255.0)));
  return result;
}

Image gray(const Image& image) {
  Image result{image.height, image.width, 1, {}};
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    const int luma =
        299 * image.pixels[i] + 587 * image.pixels[i + 1] + 114 * image.pixels[i + 2] + 500;
    result.pixels.push_back(static_cast<std::uint8_t>(luma / 1000));
  }
  return result;
}

Image colour(const Image& image) {
  Image result{image.height, image.width, 3, {}};
  for (std::uint8_t pixel : image.pixels) result.pixels.insert(result.pixels.end(), 3, pixel);
  return result;
}

}  // namespace

Image fitted(const Image& image, Index height, Index width, Index channels) {
  check(height > 0 && width > 0 && (channels == 1 || channels == 3),
        "[image] no such geometry: got ", height, " x ", width, " x ", channels,
        "; expected positive sizes and 1 or 3 channels");
  check((image.channels == 1 || image.channels == 3) && image.height > 0 && image.width > 0 &&
            static_cast<Index>(image.pixels.size()) == image.height * image.width * image.channels,
        "[image] not an image: got ", image.pixels.size(), " bytes for ", image.height, " x ",
        image.width, " x ", image.channels,
        "; expected one byte for each, positive sizes and 1 or 3 channels");
  Image result = image;
  if (channels < image.channels) result = gray(result);
  if (height != image.height || width != image.width) result = resized(result, height, width);
  if (channels > image.channels) result = colour(result);
  return result;
}

}  // namespace fraqat::data
