#include "optim/schedule.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#include "core/error.hpp"

namespace fraqat::optim {
namespace {

constexpr std::array<std::string_view, 7> names = {
    "constant", "step", "multi-step", "exponential", "cosine", "cosine-restarts", "one-cycle"};

/// From `a` at p = 0 to `b` at p = 1, flat at both ends.
double half_cosine(double a, double b, double p) {
  return b + (a - b) * 0.5 * (1 + std::cos(std::numbers::pi * p));
}

bool is_rate(double value) { return std::isfinite(value) && value >= 0; }

/// The options that one kind alone has.
void check_kind(const ScheduleOptions& o) {
  using enum ScheduleKind;
  const bool regular = o.kind == step || o.kind == exponential;
  check_input(!regular || o.decay_every >= 1, "[schedule] bad decay interval: got ", o.decay_every,
              " steps; expected 1 or more");
  check_input(!(regular || o.kind == multi_step) || (o.decay_factor > 0 && o.decay_factor <= 1),
              "[schedule] bad decay factor: got ", o.decay_factor, "; expected a number in (0, 1]");
  if (o.kind == multi_step)
    for (Index before = 1; const Index milestone : o.milestones) {
      check_input(milestone >= before, "[schedule] bad milestone: got step ", milestone,
                  "; expected ", before, " or more, in rising order");
      before = milestone;
    }
  if (o.kind == cosine_restarts) {
    check_input(o.period >= 1, "[schedule] bad period: got ", o.period,
                " steps; expected 1 or more");
    check_input(o.period_factor >= 1 && o.period_factor <= 1000,
                "[schedule] bad factor of the period: got ", o.period_factor,
                "; expected 1 to 1000");
  }
  if (o.kind == one_cycle) {
    check_input(o.start_ratio > 0 && o.start_ratio <= 1, "[schedule] bad start ratio: got ",
                o.start_ratio, "; expected a number in (0, 1]");
    check_input(o.peak_at > 0 && o.peak_at < 1, "[schedule] bad peak position: got ", o.peak_at,
                "; expected a number in (0, 1)");
  }
}

}  // namespace

ScheduleKind schedule_kind(std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  check_input(found != names.end(), "[schedule] unknown schedule: got \"", name,
              "\"; expected constant, step, multi-step, exponential, cosine, cosine-restarts or "
              "one-cycle");
  return static_cast<ScheduleKind>(found - names.begin());
}

std::string_view schedule_name(ScheduleKind kind) { return names[static_cast<std::size_t>(kind)]; }

Schedule::Schedule(const ScheduleOptions& options) : options_(options) {
  const ScheduleOptions& o = options_;
  check_input(is_rate(o.base_rate), "[schedule] bad base rate: got ", o.base_rate,
              "; expected a finite number >= 0");
  check_input(is_rate(o.final_rate) && o.final_rate <= o.base_rate,
              "[schedule] bad final rate: got ", o.final_rate, "; expected 0 to the base rate ",
              o.base_rate);
  check_input(o.total_steps >= 1, "[schedule] nothing to do: got ", o.total_steps,
              " steps in total; expected 1 or more");
  check_input(o.warmup_steps >= 0 && o.warmup_steps <= o.total_steps,
              "[schedule] bad warm-up: got ", o.warmup_steps, " steps; expected 0 to ",
              o.total_steps);
  check_kind(o);
}

double Schedule::rate(Index step) const {
  const auto& [warmup, total] = std::pair(options_.warmup_steps, options_.total_steps);
  check(step >= 0, "[schedule] negative step: got ", step, "; expected 0 or more");
  const Index done = std::clamp(step, warmup, total) - warmup;
  const double progress =
      total > warmup ? static_cast<double>(done) / static_cast<double>(total - warmup) : 1;
  if (step >= warmup) return rate_after_warmup(done, progress);
  return rate_after_warmup(0, 0) * static_cast<double>(step + 1) / static_cast<double>(warmup + 1);
}

double Schedule::rate_after_warmup(Index done, double progress) const {
  const ScheduleOptions& o = options_;
  const auto decayed = [&o](double times) { return o.base_rate * std::pow(o.decay_factor, times); };
  switch (o.kind) {
    case ScheduleKind::constant:
      return o.base_rate;
    case ScheduleKind::step:
      return decayed(static_cast<double>(done / o.decay_every));
    case ScheduleKind::multi_step:
      return decayed(static_cast<double>(
          std::count_if(o.milestones.begin(), o.milestones.end(),
                        [done](Index milestone) { return milestone <= done; })));
    case ScheduleKind::exponential:
      return decayed(static_cast<double>(done) / static_cast<double>(o.decay_every));
    case ScheduleKind::cosine:
      return half_cosine(o.base_rate, o.final_rate, progress);
    case ScheduleKind::cosine_restarts:
      // Nothing but warm-up has no cycle: it ends as one would.
      if (o.warmup_steps == o.total_steps) return half_cosine(o.base_rate, o.final_rate, progress);
      return half_cosine(o.base_rate, o.final_rate, part_of_cycle(done));
    case ScheduleKind::one_cycle:
      if (progress < o.peak_at)
        return half_cosine(o.start_ratio * o.base_rate, o.base_rate, progress / o.peak_at);
      return half_cosine(o.base_rate, o.final_rate, (progress - o.peak_at) / (1 - o.peak_at));
  }
  fail(Error::Kind::failed, "[schedule] no such kind: got ", static_cast<int>(o.kind));
}

double Schedule::part_of_cycle(Index done) const {
  // The last step that is taken is in the last cycle, and so is what comes after.
  const Index last = options_.total_steps - options_.warmup_steps - 1;
  const Index within = std::min(done, last);
  Index begin = 0, length = options_.period;
  if (options_.period_factor == 1) begin = within / length * length;
  while (within - begin >= length) {
    begin += length;
    length *= options_.period_factor;
  }
  return static_cast<double>(done - begin) / static_cast<double>(length);
}

}  // namespace fraqat::optim
