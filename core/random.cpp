#include "core/random.hpp"

#include <cmath>
#include <numbers>

namespace fraqat {
namespace {

thread_local TrainingStep* current_step = nullptr;

std::uint64_t mix(std::uint64_t z) {  // splitmix64's finaliser: nearby seeds, distant keys
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace

Philox::Philox(std::uint64_t seed, Stream stream, std::uint32_t substream) {
  const std::uint64_t purpose =
      (std::uint64_t{substream} << 32) | static_cast<std::uint32_t>(stream);
  const std::uint64_t key = mix(seed + 0x9e3779b97f4a7c15u * mix(purpose));
  key_ = {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)};
}

Philox::Block Philox::operator()(const Block& counter) const {
  Block c = counter;
  std::array<std::uint32_t, 2> k = key_;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * c[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * c[2];
    c = {static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(b),
         static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(a)};
    k[0] += 0x9E3779B9u;
    k[1] += 0xBB67AE85u;
  }
  return c;
}

TrainingStep::TrainingStep(Position position, bool noise)
    : position_(position), noise_(noise), outer_(current_step) {
  current_step = this;
}

TrainingStep::~TrainingStep() { current_step = outer_; }

TrainingStep* TrainingStep::current() { return current_step; }

Philox TrainingStep::generator(Stream stream) { return {position_.seed, stream, ++users_}; }

}  // namespace fraqat

namespace fraqat::inline FRAQAT_PRECISION {

void fill_normal(Tensor& tensor, const Philox& generator, Counter counter) {
  for (Index i = 0; i < tensor.size(); i += 4) {
    counter.block = static_cast<std::uint32_t>(i / 4);
    const Philox::Block bits = generator(counter.words());
    for (int pair = 0; pair < 4 && i + pair < tensor.size(); pair += 2) {
      const auto p = static_cast<std::size_t>(pair);
      const double radius = std::sqrt(-2 * std::log(double{uniform(bits[p])}));
      const double angle = 2 * std::numbers::pi * double{uniform(bits[p + 1])};
      tensor[i + pair] = static_cast<Real>(radius * std::cos(angle));
      if (i + pair + 1 < tensor.size())
        tensor[i + pair + 1] = static_cast<Real>(radius * std::sin(angle));
    }
  }
}

void fill_uniform(Tensor& tensor, Real low, Real high, const Philox& generator, Counter counter) {
  const Real last = std::nextafter(high, low);  // for what is rounded up to high
  for (Index i = 0; i < tensor.size(); i += 4) {
    counter.block = static_cast<std::uint32_t>(i / 4);
    const Philox::Block bits = generator(counter.words());
    for (std::size_t lane = 0; lane < 4 && i + static_cast<Index>(lane) < tensor.size(); ++lane) {
      const Real number = low + (high - low) * Real(uniform(bits[lane]));
      tensor[i + static_cast<Index>(lane)] = number < high ? number : last;
    }
  }
}

}  // namespace fraqat::inline FRAQAT_PRECISION
