#pragma once

#include <random>

#include "core/tensor.hpp"
#include "quant/deploy/graph.hpp"

/// Small random integer networks: the same for the same seed on any machine.
namespace fraqat::test {

/// Whole numbers and reals from a generator whose sequence the standard fixes.
class Dice {
 public:
  explicit Dice(std::uint32_t seed) : engine_(seed) {}

  Index whole(Index low, Index high) {
    return low + static_cast<Index>(engine_() % static_cast<std::uint32_t>(high - low + 1));
  }
  float real(float low, float high) {
    return low + (high - low) * static_cast<float>(engine_() >> 8) * 0x1p-24f;
  }

 private:
  std::mt19937 engine_;
};

/// What codes are stored in: whole bits, level counts that are no power of two, or whole bits of
/// each output channel (activations: whole bits).
enum class Stored { bits, levels, channels };
constexpr Stored every_storage[] = {Stored::bits, Stored::levels, Stored::channels};

/// 3 to 255 levels, no power of two.
quant::Width random_levels(Dice& dice);

/// Convolutions (stride, padding, dilation, groups), linear layers, additions,
/// pools, clamps and channel padding in a random chain with shortcuts; widths
/// of 2 to 8 bits (or as stored), zero-points, multipliers of both signs and zero.
deploy::Graph random_graph(std::uint32_t seed, Stored stored = Stored::bits);

/// [count, ...] numbers around the range of the graph's input, some beyond it.
Tensor random_images(const deploy::Graph& graph, Index count, std::uint32_t seed);

/// A graph of one linear layer of `codes` [out, in] in 8 bits, behind an image
/// of codes 0 to 255 at scale 1.
deploy::Graph linear_graph(Index in, Index out, std::vector<std::int8_t> codes);

}  // namespace fraqat::test
