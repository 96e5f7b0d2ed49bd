#pragma once

#include <string_view>
#include <vector>

#include "core/real.hpp"

namespace fraqat::optim {

enum class ScheduleKind {
  constant,
  step,
  multi_step,
  exponential,
  cosine,
  cosine_restarts,
  one_cycle
};

/// The kind called "constant", "step", "multi-step", "exponential", "cosine",
/// "cosine-restarts" or "one-cycle" in a recipe.
ScheduleKind schedule_kind(std::string_view name);
std::string_view schedule_name(ScheduleKind kind);

struct ScheduleOptions {
  ScheduleKind kind = ScheduleKind::constant;
  double base_rate = 0.1;  // the highest rate of every kind
  Index total_steps = 1;
  Index warmup_steps = 0;  // of total_steps

  double final_rate = 0;      // cosine, one_cycle: the rate at total_steps
  Index decay_every = 0;      // step, exponential: the rate is multiplied within so many steps ...
  double decay_factor = 0.1;  // ... and multi_step: at each milestone, by this
  double start_ratio = 0.04;  // one_cycle: the first rate, as a part of base_rate
  double peak_at = 0.3;       // one_cycle: the part of the way that rises

  std::vector<Index> milestones = {};  // multi_step: steps after warm-up, rising
  Index period = 0;                    // cosine_restarts: the steps of the first cycle ...
  Index period_factor = 1;             // ... and how much longer each is than the one before
};

/// The learning rate as a function of the step, without state: a resumed run
/// asks for the step it stands at.
///
/// Warm-up rises linearly, r0 (step + 1) / (warmup_steps + 1), and meets the schedule
/// proper at step warmup_steps, whose rate is r0 (base_rate, but for one_cycle).  With p the part
/// done of the steps after warm-up, and c(p) = (1 + cos(pi p)) / 2, which falls from 1 to 0:
///
///   constant         base
///   step             base * factor^floor(n / decay_every)     n: steps after warm-up
///   multi_step       base * factor^(milestones <= n)
///   exponential      base * factor^(n / decay_every)
///   cosine           final + (base - final) c(p)   (Loshchilov and Hutter, 2017)
///   cosine_restarts  the same with p the part done of a cycle; a cycle has
///                    period_factor times the steps of the one before
///   one_cycle        up to base by a half cosine until p = peak_at, then down to
///                    final by another              (Smith and Topin, 2018)
///
/// From total_steps on the rate stays what it is there; no cycle starts there.
class Schedule {
 public:
  explicit Schedule(const ScheduleOptions& options);

  double rate(Index step) const;
  const ScheduleOptions& options() const { return options_; }

 private:
  double rate_after_warmup(Index done, double progress) const;
  double part_of_cycle(Index done) const;

  ScheduleOptions options_;
};

}  // namespace fraqat::optim
