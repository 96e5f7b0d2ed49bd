#include <doctest/doctest.h>

#include "optim/plateau.hpp"
#include "tests/optim/makers.hpp"
#include "tests/support/npy.hpp"

namespace fraqat::pytorch_test {

// Step by step what PyTorch does with the same numbers: tests/golden/make_optimizers.py.

using namespace fraqat::optim;
using namespace fraqat::test;

namespace {

constexpr double rate = 0.05;

Tensor numbers_of(const std::string& name) { return golden("optimizers/" + name); }

void check_updates(const std::string& name, const Make& make, double decay = 0) {
  INFO(name);
  const Tensor gradients = numbers_of("gradients"), expected = numbers_of(name);
  Var w(numbers_of("weights"), true);
  const Index size = w.value().size(), steps = gradients.dim(0);
  REQUIRE(expected.shape() == Shape{steps, size});
  const auto optimizer = make({{{w}, 1, decay}});
  for (Index t = 0; t < steps; ++t) {
    w.grad() = Tensor({size}, gradients.span().subspan(static_cast<std::size_t>(t * size),
                                                       static_cast<std::size_t>(size)));
    optimizer->step(rate);
    for (Index i = 0; i < size; ++i) {
      INFO("step ", t, ", weight ", i);
      CHECK(w.value()[i] == doctest::Approx(expected[t * size + i]).epsilon(2e-6));
    }
  }
}

void check_rates(const std::string& name, const ScheduleOptions& options) {
  INFO(name);
  const Tensor expected = numbers_of(name);
  REQUIRE(expected.size() >= 12);
  const Schedule schedule(options);
  for (Index step = 0; step < expected.size(); ++step) {
    INFO("step ", step);
    CHECK(schedule.rate(step) == doctest::Approx(expected[step]).epsilon(1e-6));
  }
}

void check_plateau(const std::string& name, const PlateauOptions& options) {
  INFO(name);
  const Tensor metrics = numbers_of("metrics"), expected = numbers_of(name);
  REQUIRE(expected.size() == metrics.size());
  Plateau plateau(options);
  for (Index i = 0; i < metrics.size(); ++i) {
    INFO("measurement ", i);
    plateau.measure(options.higher_is_better ? 3.0 - double{metrics[i]} : double{metrics[i]});
    CHECK(plateau.rate() == doctest::Approx(expected[i]).epsilon(1e-6));
  }
}

}  // namespace

TEST_CASE("PyTorch: SGD") {
  check_updates("sgd", make<Sgd>(SgdOptions{}));
  check_updates("sgd_decay", make<Sgd>(SgdOptions{}), 0.1);
  check_updates("sgd_momentum", make<Sgd>(SgdOptions{0.9}), 0.1);
  check_updates("sgd_nesterov", make<Sgd>(SgdOptions{0.8, true}), 0.1);
}

TEST_CASE("PyTorch: Adam and AdamW") {
  check_updates("adam", make<Adam>(AdamOptions{}));
  check_updates("adam_decay", make<Adam>(AdamOptions{0.8, 0.95, 1e-3}), 0.1);
  check_updates("adamw", make<AdamW>(AdamOptions{}), 0.1);
}

TEST_CASE("PyTorch: RMSprop") {
  check_updates("rmsprop", make<RmsProp>(RmsPropOptions{}));
  check_updates("rmsprop_momentum", make<RmsProp>(RmsPropOptions{.alpha = 0.9, .momentum = 0.8}),
                0.1);
  check_updates("rmsprop_centered",
                make<RmsProp>(RmsPropOptions{.alpha = 0.9, .epsilon = 1e-3, .centered = true}));
  check_updates("rmsprop_both", make<RmsProp>(RmsPropOptions{0.8, 1e-2, 0.9, true}), 0.1);
}

TEST_CASE("PyTorch: Adagrad") {
  check_updates("adagrad", make<Adagrad>(AdagradOptions{}));
  check_updates("adagrad_all", make<Adagrad>(AdagradOptions{0.3, 1e-3, 0.2}), 0.1);
}

TEST_CASE("PyTorch: schedules") {
  ScheduleOptions o{ScheduleKind::step, rate, 100};
  o.decay_every = 4;
  o.decay_factor = 0.3;
  check_rates("step", o);
  o.kind = ScheduleKind::multi_step;
  o.milestones = {3, 4, 9};
  check_rates("multi_step", o);
  o.kind = ScheduleKind::exponential;
  o.decay_every = 1;
  o.decay_factor = 0.8;
  check_rates("exponential", o);
  o.kind = ScheduleKind::cosine_restarts;
  o.final_rate = 0.002;
  o.period = 7;
  check_rates("restarts", o);
  o.period = 3;
  o.period_factor = 2;
  check_rates("restarts_longer", o);
  o.kind = ScheduleKind::cosine;
  o.total_steps = 20;
  check_rates("cosine", o);
  o.kind = ScheduleKind::one_cycle;
  o.final_rate = rate / 25 / 10;
  check_rates("one_cycle", o);
}

TEST_CASE("PyTorch: reduce on plateau") {
  check_plateau(
      "plateau",
      {.base_rate = rate, .factor = 0.5, .patience = 2, .threshold = 0.05, .min_rate = 0.005});
  check_plateau(
      "plateau_cooldown",
      {.base_rate = rate, .factor = 0.5, .patience = 1, .threshold = 0.05, .cooldown = 3});
  check_plateau("plateau_absolute", {.base_rate = rate,
                                     .higher_is_better = true,
                                     .factor = 0.2,
                                     .patience = 1,
                                     .threshold = 0.02,
                                     .absolute = true,
                                     .cooldown = 1});
}

}  // namespace fraqat::pytorch_test
