#pragma once

#include "nn/module.hpp"
#include "quant/deploy/verify.hpp"
#include "quant/stand_ins.hpp"

namespace fraqat::deploy {

/// The module forward, kept to the numbers of the graph that the network was lowered to: every
/// slot says what code it would give, and passes on the graph's.  So each layer is compared by
/// itself: a number next to a tie, which the two round differently, does not grow from layer to
/// layer into another prediction.
class FollowedModule {
 public:
  /// Both outlive this, which has the slots of `model` while it lives.
  FollowedModule(nn::Module& model, const Graph& graph);

  /// The module's logits [N, classes] for `images`, of which `evaluated` has all values.  Adds
  /// to `layers` (value 0, 1, ... of the graph) the codes of its own that differ, and whether by
  /// more than one.  Slots that do not belong to the graph go on with their own codes.
  Tensor operator()(const Tensor& images, const Outputs& evaluated,
                    std::vector<LayerCount>& layers);

 private:
  /// What slots and graph have come to.
  struct Place {
    const Graph& graph;
    std::vector<std::size_t> coded;  // values with codes of their own, in order of execution
    std::size_t next = 0;            // of these
    const Outputs* evaluated = nullptr;
    std::vector<LayerCount>* layers = nullptr;
  };
  class Follower;

  nn::Module& model_;
  Place place_;
  quant::StandIns stand_ins_;
};

}  // namespace fraqat::deploy
