#pragma once

#include <array>
#include <cstdint>

#include "core/tensor.hpp"

namespace fraqat {

/// What a random number is for.  Streams never overlap; the numbers below are
/// part of the format of a run and must not change.
enum class Stream : std::uint32_t {
  init = 1,
  shuffle = 2,
  dropout = 3,
  augment = 4,
  bits = 5,  // Gumbel noise and the coin flips of stochastic bit-widths
  synthetic = 6,
  assignment = 7,   // random bit-widths to compare learned ones with
  calibration = 8,  // which numbers ranges are fitted to
};

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
/// SC11): a function from a counter to 128 random bits, without state.  The key
/// is (seed, stream), so a number depends only on what it is for and where it
/// stands, never on the order of drawing.
class Philox {
 public:
  using Block = std::array<std::uint32_t, 4>;

  /// `substream` tells apart several users of one stream within a step.
  Philox(std::uint64_t seed, Stream stream, std::uint32_t substream = 0);
  explicit Philox(std::array<std::uint32_t, 2> key) : key_(key) {}

  Block operator()(const Block& counter) const;

 private:
  std::array<std::uint32_t, 2> key_;
};

/// The four coordinates of a draw.
struct Counter {
  std::uint32_t epoch = 0, step = 0, sample = 0, block = 0;
  Philox::Block words() const { return {epoch, step, sample, block}; }
};

/// Uniform in (0, 1): never 0 and never 1, 23 bits, exact in float.
constexpr float uniform(std::uint32_t bits) {
  return (static_cast<float>(bits >> 9) + 0.5f) * 0x1p-23f;
}

/// One training step, as long as it is alive on this thread.  Modules ask for
/// it: with none, they behave as in evaluation (no dropout, running statistics,
/// hard bit-widths), just as nothing is recorded with no tape.
class TrainingStep {
 public:
  struct Position {
    std::uint64_t seed = 0;
    std::uint32_t epoch = 0, step = 0;
  };

  explicit TrainingStep(Position position, bool noise = true);
  ~TrainingStep();
  TrainingStep(const TrainingStep&) = delete;
  TrainingStep& operator=(const TrainingStep&) = delete;

  static TrainingStep* current();

  /// False while batch-norm statistics are re-estimated: batch statistics, but
  /// no dropout and hard bit-widths.
  bool noise() const { return noise_; }

  /// The generator for the next user of `stream` in this step; users are told
  /// apart by their order of arrival, which is the order of the forward pass.
  Philox generator(Stream stream);
  Counter counter() const { return {position_.epoch, position_.step, 0, 0}; }

 private:
  Position position_;
  bool noise_;
  std::uint32_t users_ = 0;
  TrainingStep* outer_;
};

}  // namespace fraqat

namespace fraqat::inline FRAQAT_PRECISION {

/// Fills with independent standard normal (Box-Muller) or uniform numbers in
/// [low, high), element i from block i / 4 of the counter.
void fill_normal(Tensor& tensor, const Philox& generator, Counter counter = {});
void fill_uniform(Tensor& tensor, Real low, Real high, const Philox& generator,
                  Counter counter = {});

}  // namespace fraqat::inline FRAQAT_PRECISION
