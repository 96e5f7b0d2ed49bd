#include "optim/schedule.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "core/error.hpp"

namespace fraqat::schedule_test {

using namespace fraqat::optim;

TEST_CASE("schedule: constant, and warm-up that meets it") {
  const Schedule plain({ScheduleKind::constant, 0.5, 10});
  for (const Index step : {0, 1, 9, 10, 1000}) CHECK(plain.rate(step) == 0.5);
  const Schedule warm({ScheduleKind::constant, 0.5, 10, 4});
  CHECK(warm.rate(0) == doctest::Approx(0.1));
  CHECK(warm.rate(1) == doctest::Approx(0.2));
  CHECK(warm.rate(3) == doctest::Approx(0.4));
  CHECK(warm.rate(4) == 0.5);
}

TEST_CASE("schedule: step") {
  ScheduleOptions options{ScheduleKind::step, 0.8, 100, 10};
  options.decay_every = 20;
  options.decay_factor = 0.5;
  const Schedule schedule(options);
  CHECK(schedule.rate(10) == 0.8);
  CHECK(schedule.rate(29) == 0.8);
  CHECK(schedule.rate(30) == 0.4);
  CHECK(schedule.rate(50) == 0.2);
  CHECK(schedule.rate(99) == 0.8 / 16);
  CHECK(schedule.rate(5000) == schedule.rate(100));
}

TEST_CASE("schedule: multi-step falls at its milestones, counted after warm-up") {
  ScheduleOptions options{ScheduleKind::multi_step, 0.8, 100, 10};
  options.milestones = {1, 20, 20};
  options.decay_factor = 0.5;
  const Schedule schedule(options);
  CHECK(schedule.rate(10) == 0.8);
  CHECK(schedule.rate(11) == 0.4);
  CHECK(schedule.rate(29) == 0.4);
  CHECK(schedule.rate(30) == 0.1);
  CHECK(schedule.rate(1000) == 0.1);
}

TEST_CASE("schedule: exponential meets step at the end of every interval") {
  ScheduleOptions options{ScheduleKind::exponential, 0.8, 100, 10};
  options.decay_every = 20;
  options.decay_factor = 0.25;
  const Schedule schedule(options);
  CHECK(schedule.rate(10) == 0.8);
  CHECK(schedule.rate(20) == doctest::Approx(0.4));
  CHECK(schedule.rate(30) == doctest::Approx(0.2));
  CHECK(schedule.rate(50) == doctest::Approx(0.05));
  CHECK(schedule.rate(200) == schedule.rate(100));
}

TEST_CASE("schedule: cosine with restarts, and none at the end of the run") {
  ScheduleOptions options{ScheduleKind::cosine_restarts, 1.0, 80, 10};  // cycles of 10, 20, 40
  options.period = 10;
  options.period_factor = 2;
  options.final_rate = 0.2;
  const Schedule schedule(options);
  for (const Index start : {10, 20, 40}) CHECK(schedule.rate(start) == 1.0);
  for (const Index middle : {15, 30, 60}) CHECK(schedule.rate(middle) == doctest::Approx(0.6));
  for (Index step = 41; step <= 80; ++step) CHECK(schedule.rate(step) < schedule.rate(step - 1));
  for (const Index end : {80, 81, 1000}) CHECK(schedule.rate(end) == doctest::Approx(0.2));

  options.period_factor = 1;
  const Schedule even(options);
  for (Index step = 10; step < 80; ++step) CHECK(even.rate(step) == even.rate(10 + step % 10));
  CHECK(even.rate(80) == doctest::Approx(0.2));
  options.period = 30;  // 30, 30, and 10 of the third
  CHECK(Schedule(options).rate(80) == doctest::Approx(0.2 + 0.8 * 0.75));
}

TEST_CASE("schedule: cosine falls from base to final") {
  ScheduleOptions options{ScheduleKind::cosine, 1.0, 110, 10};
  options.final_rate = 0.2;
  const Schedule schedule(options);
  CHECK(schedule.rate(10) == 1.0);
  CHECK(schedule.rate(35) == doctest::Approx(0.2 + 0.8 * 0.8535533906));  // (1 + sqrt(1/2)) / 2
  CHECK(schedule.rate(60) == doctest::Approx(0.6));
  CHECK(schedule.rate(110) == doctest::Approx(0.2));
  CHECK(schedule.rate(111) == doctest::Approx(0.2));
  for (Index step = 11; step <= 110; ++step) CHECK(schedule.rate(step) < schedule.rate(step - 1));
}

TEST_CASE("schedule: one-cycle rises, peaks and falls") {
  ScheduleOptions options{ScheduleKind::one_cycle, 1.0, 100};
  options.final_rate = 0.001;
  const Schedule schedule(options);
  CHECK(schedule.rate(0) == doctest::Approx(0.04));
  CHECK(schedule.rate(15) == doctest::Approx(0.52));
  CHECK(schedule.rate(30) == doctest::Approx(1.0));
  CHECK(schedule.rate(65) == doctest::Approx(0.5005));
  CHECK(schedule.rate(100) == doctest::Approx(0.001));
  for (Index step = 1; step <= 100; ++step)
    CHECK((schedule.rate(step) > schedule.rate(step - 1)) == (step <= 30));
}

TEST_CASE("schedule: nothing but warm-up") {
  const Schedule schedule({ScheduleKind::cosine, 1.0, 3, 3});
  CHECK(schedule.rate(0) == 0.25);
  CHECK(schedule.rate(2) == 0.75);
  CHECK(schedule.rate(3) == 0);

  ScheduleOptions restarts{ScheduleKind::cosine_restarts, 1.0, 3, 3};
  restarts.period = 2;
  for (const Index factor : {1, 2}) {
    restarts.period_factor = factor;
    CHECK(Schedule(restarts).rate(2) == 0.75);
    for (const Index end : {3, 4, 1000}) CHECK(Schedule(restarts).rate(end) == 0);
  }
}

TEST_CASE("schedule: names") {
  for (const auto kind : {ScheduleKind::constant, ScheduleKind::step, ScheduleKind::multi_step,
                          ScheduleKind::exponential, ScheduleKind::cosine,
                          ScheduleKind::cosine_restarts, ScheduleKind::one_cycle})
    CHECK(schedule_kind(schedule_name(kind)) == kind);
  CHECK_THROWS_WITH_AS(schedule_kind("linear"),
                       "[schedule] unknown schedule: got \"linear\"; expected constant, step, "
                       "multi-step, exponential, cosine, cosine-restarts or one-cycle",
                       Error);
}

TEST_CASE("schedule: bad numbers are refused") {
  const auto refused = [](auto change) {
    ScheduleOptions options{ScheduleKind::constant, 0.1, 10};
    change(options);
    CHECK_THROWS_AS(Schedule{options}, Error);
  };
  refused([](ScheduleOptions& o) { o.base_rate = -1; });
  refused([](ScheduleOptions& o) { o.base_rate = std::nan(""); });
  refused([](ScheduleOptions& o) { o.base_rate = INFINITY; });
  refused([](ScheduleOptions& o) { o.final_rate = 0.2; });
  refused([](ScheduleOptions& o) { o.total_steps = 0; });
  refused([](ScheduleOptions& o) { o.warmup_steps = 11; });
  refused([](ScheduleOptions& o) { o.warmup_steps = -1; });
  refused([](ScheduleOptions& o) { o.kind = ScheduleKind::step; });
  refused([](ScheduleOptions& o) {
    o.kind = ScheduleKind::step;
    o.decay_every = 1;
    o.decay_factor = 0;
  });
  refused([](ScheduleOptions& o) {
    o.kind = ScheduleKind::one_cycle;
    o.peak_at = 1;
  });
  refused([](ScheduleOptions& o) {
    o.kind = ScheduleKind::one_cycle;
    o.start_ratio = 0;
  });
  refused([](ScheduleOptions& o) { o.kind = ScheduleKind::exponential; });
  CHECK_THROWS_AS(Schedule({ScheduleKind::constant, 0.1, 10}).rate(-1), Error);

  ScheduleOptions options{ScheduleKind::multi_step, 0.1, 10};
  const auto says = [&](const char* text) { CHECK_THROWS_WITH_AS(Schedule{options}, text, Error); };
  options.milestones = {0};
  says("[schedule] bad milestone: got step 0; expected 1 or more, in rising order");
  options.milestones = {5, 4};
  says("[schedule] bad milestone: got step 4; expected 5 or more, in rising order");
  options.milestones = {5};
  options.decay_factor = 2;
  says("[schedule] bad decay factor: got 2; expected a number in (0, 1]");
  options.kind = ScheduleKind::cosine_restarts;
  says("[schedule] bad period: got 0 steps; expected 1 or more");
  options.period = 3;
  options.period_factor = 0;
  says("[schedule] bad factor of the period: got 0; expected 1 to 1000");
}

}  // namespace fraqat::schedule_test
