#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "models/run/recipe.hpp"
#include "quant/quantizer.hpp"

namespace fraqat::run {

/// The curriculum: one list of widths, whole or not, that fall over a stretch of
/// training.  Quantizers of the policy `schedule` have the width of the moment, others
/// no more than it.  The next width comes after a fixed share of the stretch, or when
/// the loss has recovered from the last descent.
class Curriculum {
 public:
  /// For those of `recipe` that follow it: all of the policy `schedule`, and what is
  /// learned where quant.*.cap is true.  They must outlive this.
  Curriculum(nn::Module& model, const Recipe& recipe);

  /// True if anybody follows it.
  bool followed() const { return !followers_.empty(); }

  /// The width of the moment.
  double width() const { return plan_.widths[at_]; }

  /// Sets the widths of a step at `progress` in [0, 1) of the stretch.
  void before_step(double progress);

  /// Takes note of the loss of the step.
  void after_step(double loss);

  /// The last width, for a stretch that had too few steps for all of them.
  void finish();

  nlohmann::json state() const;
  void set_state(const nlohmann::json& state);

 private:
  double share_end() const;
  bool recovered(double progress) const;
  double mean_loss() const;
  void limit();

  Descent plan_;
  std::vector<quant::Quantizer*> followers_;
  std::size_t at_ = 0;
  // plateau: since when the width is this, its mean loss, and the last one's at its end
  double since_ = 0, sum_ = 0, weight_ = 0, plateau_ = 0;
  Index steps_ = 0;
};

}  // namespace fraqat::run
