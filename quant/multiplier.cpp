#include "quant/multiplier.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

constexpr double tolerance = 1e-6;  // of a cost, in units of Sum::scale()
constexpr int most_sweeps = 20;

class Exact final : public Multiplier {
 public:
  bool ramps() const override { return true; }

  void find(std::span<Constraint> all, Trial& trial) override {
    for (Constraint& one : all) one.price = 0;
    for (int sweep = 0; sweep < most_sweeps; ++sweep) {
      bool moved = false;
      for (std::size_t i = 0; i < all.size(); ++i) {
        const double before = all[i].price;
        if (sweep > 0 && settled(i, all, trial)) continue;
        solve(i, all, trial);
        moved |= std::abs(all[i].price - before) > 1e-9 * std::max(before, all[i].price);
      }
      if (!moved || all.size() == 1) break;
    }
  }

 private:
  static bool settled(std::size_t i, std::span<const Constraint> all, Trial& trial) {
    const double slack = all[i].target - trial.cost(i, all);
    return slack >= 0 && (all[i].price == 0 || slack < tolerance);
  }

  /// The price of constraint i, those of the others as they are.
  static void solve(std::size_t i, std::span<Constraint> all, Trial& trial) {
    Constraint& one = all[i];
    const auto cost_at = [&](double price) {
      one.price = price;
      return trial.cost(i, all);
    };
    const double free = cost_at(0);
    one.met = free <= one.target;
    if (one.met) return;
    double low = 0, high = 1e-6, before = free, cost = cost_at(high);
    // Every width at its step limit or bound: no price can lower the cost further.
    while (cost > one.target && (cost < before || high < 1)) {
      low = high;
      before = cost;
      cost = cost_at(high *= 4);
    }
    one.met = cost <= one.target;
    if (!one.met) {
      cost_at(low);
      return;
    }
    for (int k = 0; k < 100; ++k) {
      const double middle = (low + high) / 2;
      cost = cost_at(middle);
      if (cost <= one.target && one.target - cost < tolerance) return;
      (cost > one.target ? low : high) = middle;
    }
    cost_at(high);
  }
};

/// Prices from what the costs were, not from what they will be: memory_ holds
/// numbers for each constraint from one step to the next.
class Feedback : public Multiplier {
 public:
  Feedback(std::size_t constraints, std::size_t numbers) {
    memory_.assign(constraints * numbers, 0);
  }

  void find(std::span<Constraint> all, Trial& trial) override {
    for (std::size_t i = 0; i < all.size(); ++i) all[i].price = price(i, all[i]);
    for (std::size_t i = 0; i < all.size(); ++i)
      all[i].met = trial.cost(i, all) <= all[i].target * (1 + 1e-3);
  }

 protected:
  virtual double price(std::size_t i, const Constraint& one) = 0;
};

class Dual final : public Feedback {
 public:
  explicit Dual(std::size_t constraints) : Feedback(constraints, 2) {}

 private:
  double price(std::size_t i, const Constraint& one) override {
    constexpr double rate = 0.01, momentum = 0.9, penalty = 5, most = 20;
    double& lambda = memory_[2 * i];
    double& mean = memory_[2 * i + 1];
    const double excess = one.now / one.target - 1;
    mean = momentum * mean + (1 - momentum) * excess;
    lambda = std::clamp(lambda + rate * mean, 0.0, most);
    return (lambda + penalty * std::max(excess, 0.0)) / one.target;
  }
};

class Pid final : public Feedback {
 public:
  explicit Pid(std::size_t constraints) : Feedback(constraints, 1) {}

 private:
  double price(std::size_t i, const Constraint& one) override {
    constexpr double usual = -3, proportional = 1, integral = 2e-3, most = 4;
    const double error = std::log10(one.now / one.target);
    double& sum = memory_[i];
    sum = std::clamp(sum + integral * error, -most, most);
    return std::pow(10, usual + proportional * error + sum);
  }
};

}  // namespace

std::unique_ptr<Multiplier> multiplier_of(std::string_view name, std::size_t constraints) {
  if (name == "exact") return std::make_unique<Exact>();
  if (name == "dual") return std::make_unique<Dual>(constraints);
  check(name == "pid", "[search] no such multiplier: got ", name, "; expected exact, dual or pid");
  return std::make_unique<Pid>(constraints);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
