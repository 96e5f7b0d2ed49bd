#include "optim/plateau.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace fraqat::optim {

Plateau::Plateau(const PlateauOptions& options)
    : options_(options),
      best_(Shape{}, 0.0f),
      improved_(Shape{}, 0.0f),
      waited_(Shape{}, 0.0f),
      resting_(Shape{}, 0.0f),
      reductions_(Shape{}, 0.0f) {
  const PlateauOptions& o = options_;
  const auto rate = [](double value) { return std::isfinite(value) && value >= 0; };
  check_input(rate(o.base_rate), "[plateau] bad base rate: got ", o.base_rate,
              "; expected a finite number >= 0");
  check_input(rate(o.min_rate) && o.min_rate <= o.base_rate, "[plateau] bad lowest rate: got ",
              o.min_rate, "; expected 0 to the base rate ", o.base_rate);
  check_input(o.factor > 0 && o.factor < 1, "[plateau] bad factor: got ", o.factor,
              "; expected a number in (0, 1)");
  check_input(o.patience >= 0, "[plateau] bad patience: got ", o.patience,
              " measurements; expected 0 or more");
  check_input(rate(o.threshold), "[plateau] bad threshold: got ", o.threshold,
              "; expected a finite number >= 0");
  check_input(o.cooldown >= 0, "[plateau] bad cooldown: got ", o.cooldown,
              " measurements; expected 0 or more");
}

double Plateau::rate() const {
  return std::max(options_.min_rate,
                  options_.base_rate * std::pow(options_.factor, double{reductions_.item()}));
}

bool Plateau::better(double metric) const {
  if (!std::isfinite(metric)) return false;
  if (improved_.item() == 0) return true;
  const double best = best_.item();
  const double margin = options_.threshold * (options_.absolute ? 1 : std::abs(best));
  return options_.higher_is_better ? metric > best + margin : metric < best - margin;
}

void Plateau::measure(double metric) {
  metric = double{static_cast<float>(metric)};  // as the best is, or it could be better than itself
  if (better(metric)) {
    best_[0] = static_cast<float>(metric);
    improved_[0] += 1;
    waited_[0] = 0;
  } else {
    waited_[0] += 1;
  }
  if (resting_[0] > 0) {
    resting_[0] -= 1;
    waited_[0] = 0;
  }
  if (waited_[0] <= static_cast<float>(options_.patience)) return;
  reductions_[0] += 1;
  resting_[0] = static_cast<float>(options_.cooldown);
  waited_[0] = 0;
}

void Plateau::visit_state(const StateVisitor& visit) {
  visit("plateau.best", best_);
  visit("plateau.improved", improved_);
  visit("plateau.waited", waited_);
  visit("plateau.resting", resting_);
  visit("plateau.reductions", reductions_);
}

}  // namespace fraqat::optim
