#pragma once

#include <string_view>

#include "core/real.hpp"

namespace fraqat::optim {

enum class ScheduleKind { constant, step, cosine, one_cycle };

/// The kind called "constant", "step", "cosine" or "one-cycle" in a recipe.
ScheduleKind schedule_kind(std::string_view name);
std::string_view schedule_name(ScheduleKind kind);

struct ScheduleOptions {
  ScheduleKind kind = ScheduleKind::constant;
  double base_rate = 0.1;  // the highest rate of every kind
  Index total_steps = 1;
  Index warmup_steps = 0;  // of total_steps

  double final_rate = 0;      // cosine, one_cycle: the rate at total_steps
  Index decay_every = 0;      // step: the rate is multiplied after so many steps ...
  double decay_factor = 0.1;  // ... by this
  double start_ratio = 0.04;  // one_cycle: the first rate, as a part of base_rate
  double peak_at = 0.3;       // one_cycle: the part of the way that rises
};

/// The learning rate as a function of the step, without state: a resumed run
/// asks for the step it stands at.
///
/// Warm-up rises linearly, base_rate (step + 1) / (warmup_steps + 1), and meets
/// the schedule proper at step warmup_steps.  With p the part done of the steps
/// after warm-up, and c(p) = (1 + cos(pi p)) / 2, which falls from 1 to 0:
///
///   constant   base
///   step       base * factor^floor(steps after warm-up / decay_every)
///   cosine     final + (base - final) c(p)           (Loshchilov and Hutter, 2017)
///   one_cycle  up to base by a half cosine until p = peak_at, then down to final
///              by another                            (Smith and Topin, 2018)
///
/// From total_steps on the rate stays what it is there.
class Schedule {
 public:
  explicit Schedule(const ScheduleOptions& options);

  double rate(Index step) const;
  const ScheduleOptions& options() const { return options_; }

 private:
  double rate_after_warmup(Index done, double progress) const;

  ScheduleOptions options_;
};

}  // namespace fraqat::optim
