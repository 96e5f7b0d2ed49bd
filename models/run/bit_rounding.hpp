#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "models/run/recipe.hpp"
#include "quant/rounding.hpp"

namespace fraqat::run {

/// What a search has learned of each site of a workload.
struct LearnedBits {
  std::vector<double> bits;
  std::vector<double> gain;   // -dL/db: what one more bit would gain
  std::vector<double> price;  // what the budgets ask for one
};

/// The loss of the network as it stands, on the batches that rounding may look at.
using TrueLoss = std::function<double()>;

/// The widths that a tensor may be rounded to, rising: whole ones that are candidates, and level
/// counts that its codes have, none above the end of a curriculum that caps it; without those that
/// another is as fine as, at no more bits.
std::vector<quant::Width> allowed_widths(const Recipe& recipe, const quant::Quantizer& quantizer);

/// Makes learned widths whole as a recipe says.
class BitRounding {
 public:
  /// All must outlive this.
  BitRounding(const quant::Workload& workload, const std::vector<quant::Budget>& budgets,
              const Recipe& recipe);

  /// An Error if no allowed widths meet the budgets: better to learn that before the
  /// search than after it.
  void check_feasible() const;

  /// Rounds, and freezes all quantizers.  `loss` is asked where the recipe measures
  /// losses or tries exchanges; it may be empty where it does not.  Returns for each
  /// budget, by name, {"unit", "target", "reached", "slack"}, under "rounding"
  /// {"exact", "tried", "exchanged"}, and under "sensitivity" the losses that were
  /// measured: for each tensor {"name", "bits", "losses"}.
  nlohmann::ordered_json round(const LearnedBits& learned, const TrueLoss& loss) const;

  /// How often round() will ask for the loss, at most.
  Index losses_to_measure() const;

 private:
  std::vector<quant::RoundingItem> items(const LearnedBits& learned) const;
  void measure(std::vector<quant::RoundingItem>& items, const TrueLoss& loss) const;
  void freeze(const std::vector<quant::Width>& bits) const;
  nlohmann::ordered_json budgets_met(const std::vector<quant::RoundingItem>& items,
                                     const std::vector<quant::Width>& bits) const;
  bool to_budget() const;
  bool measures() const;

  quant::Couples couples() const;
  quant::Couples rows() const;

  const quant::Workload& workload_;
  const std::vector<quant::Site> sites_;
  const std::vector<quant::Budget>& budgets_;
  const Recipe& recipe_;
};

}  // namespace fraqat::run
