#pragma once

#include <cstdint>
#include <vector>

#include "quant/deploy/evaluate.hpp"

namespace fraqat::deploy {

/// The second program: runs a graph on codes, with integer loops of its own.
/// It shares the formulas of quant/grid.hpp with evaluate() and nothing else of
/// the way from image to accumulator.  Weights are widened once, when it is made.
/// Samples are independent and run in parallel, each through all ops in turn.
class Engine {
 public:
  /// Takes a complete graph.
  explicit Engine(Graph graph);

  /// The same integers as evaluate(), for any number of threads.
  Outputs run(const Tensor& images, bool keep_values = false) const;

  const Graph& graph() const { return graph_; }

 private:
  class Sample;

  /// The weights of one product, 16 bits each: rows of `length`, every `stride`
  /// elements, filled up with zeros.
  struct Rows {
    std::vector<std::int16_t> codes;
    Index length = 0, stride = 0;
  };

  Graph graph_;
  std::vector<Rows> rows_;      // one for each op
  std::vector<Index> offsets_;  // where each value stands in the memory of a sample
  Index codes_per_sample_ = 0, accumulators_per_sample_ = 0, longest_patch_ = 0;
};

}  // namespace fraqat::deploy
