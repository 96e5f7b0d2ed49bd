#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "models/run/recipe.hpp"
#include "optim/optimizer.hpp"
#include "quant/price.hpp"

namespace fraqat::run {

/// Learned widths that no budget moves: an ordinary optimizer does, at the recipe's
/// lambda.
class PricedBits {
 public:
  /// `moved` tells for each quantizer of the workload if it is one of these.
  PricedBits(const quant::Workload& workload, const std::vector<char>& moved, const Recipe& recipe);

  /// The price on the tape, or none.
  Var cost();

  /// From the gradients of task and price; `warm`: they are forgotten.
  void step(bool warm, bool tail);

  /// The mean over the tail of what is b of site k of the workload.
  double learned_bits(std::size_t k) const;

  nlohmann::json state();
  void set_state(const nlohmann::json& state);

 private:
  void weigh_rows();

  const Recipe& recipe_;
  std::vector<quant::Site> all_;
  std::vector<std::size_t> moved_;  // positions in all_
  std::vector<quant::Quantizer*> priced_;
  std::vector<quant::Cost> costs_;  // what the price is for; none: each width alike
  quant::Price price_;
  std::vector<double> sums_;  // of b over the tail, of each site moved
  Index tail_steps_ = 0;
  std::unique_ptr<optim::Optimizer> optimizer_;  // of priced_
};

}  // namespace fraqat::run
