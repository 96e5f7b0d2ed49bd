#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/parallel.hpp"
#include "core/random.hpp"
#include "tests/optim/makers.hpp"

namespace fraqat::update_test {

using namespace fraqat::optim;
using namespace fraqat::test;

namespace {

constexpr double rate = 0.1, decay = 0.05;

}  // namespace

TEST_CASE("optimizers: groups have their own rate, schedule and decay") {
  const Var a = parameter({1}, "a"), b = parameter({1}, "b"), c = parameter({1}, "c");
  ScheduleOptions falling{ScheduleKind::step, 0.5, 10};
  falling.decay_every = 1;
  Sgd sgd({{{a}, 2, 0, "fast"}, {{b}, 1, 0.5, "decayed"}, {{c}, 1, 0, "own", Schedule(falling)}});
  for (int t = 0; t < 2; ++t) {
    for (Var v : {a, b, c}) v.grad() = Tensor({1}, 1.0f);
    sgd.step(0.125);
  }
  CHECK(a.value()[0] == 0.5f);                                               // 1 - 2 * 0.25
  CHECK(b.value()[0] == 1 - 0.1875f - 0.125f * (1 + 0.5f * (1 - 0.1875f)));  // 1.5, then less
  CHECK(c.value()[0] == doctest::Approx(1 - 0.5 - 0.05));
  CHECK(sgd.steps() == 2);
  CHECK(sgd.rate_of(sgd.groups()[0], 0.125) == 0.25);
  CHECK(sgd.rate_of(sgd.groups()[2], 0.125) == doctest::Approx(0.005));
}

TEST_CASE("optimizers: a parameter without a gradient is skipped, and starts fresh later") {
  for (const Make& maker : all_kinds) {
    const Var a = parameter({1}, "a"), late = parameter({1}, "late");
    const auto optimizer = maker({{{a, late}, 1, 0.01}});
    for (int t = 0; t < 50; ++t) {
      Var(a).grad() = Tensor({1}, 1.0f);
      optimizer->step(0.01);
      optimizer->clear_gradients();
    }
    CHECK_FALSE(a.grad());
    CHECK(late.value()[0] == 1);

    const Var fresh = parameter({1});
    const auto other = maker({{{fresh}, 1, 0.01}});
    Var(late).grad() = Tensor({1}, 0.5f);
    Var(fresh).grad() = Tensor({1}, 0.5f);
    optimizer->step(0.01);
    other->step(0.01);
    CHECK(late.value()[0] == fresh.value()[0]);
  }
}

TEST_CASE("optimizers: state moved to a second one continues to the bit") {
  for (const Make& maker : all_kinds) {
    const Var w = parameter({1, -2, 0.5f});
    const auto first = maker({{{w}, 1, decay}});
    for (int t = 0; t < 5; ++t) {
      Var(w).grad() = gradient(w, t);
      first->step(rate);
    }
    const Var copy(w.value().clone(), true);
    Var(copy).set_name("w");
    const auto second = maker({{{copy}, 1, decay}});
    std::vector<std::pair<std::string, Tensor>> saved;
    first->visit_state([&](const std::string& n, Tensor& t) { saved.emplace_back(n, t.clone()); });
    std::size_t next = 0;
    second->visit_state([&](const std::string& name, Tensor& tensor) {
      CHECK(name == saved[next].first);
      tensor = saved[next++].second;
    });
    CHECK(next == saved.size());
    second->set_steps(first->steps());
    for (int t = 5; t < 9; ++t) {
      Var(w).grad() = gradient(w, t);
      Var(copy).grad() = gradient(copy, t);
      first->step(rate);
      second->step(rate);
    }
    for (Index i = 0; i < 3; ++i) CHECK(w.value()[i] == copy.value()[i]);
  }
}

TEST_CASE("optimizers find the minimum of a quadratic") {
  const std::pair<Make, double> cases[] = {
      {make<Sgd>(SgdOptions{}), 0.1},          {make<Sgd>(SgdOptions{0.9}), 0.1},
      {make<Sgd>(SgdOptions{0.9, true}), 0.1}, {make<Adam>(AdamOptions{}), 0.1},
      {make<AdamW>(AdamOptions{}), 0.1},       {make<RmsProp>(RmsPropOptions{}), 0.1},
      {make<Adagrad>(AdagradOptions{}), 1.0},  {make<Lion>(LionOptions{}), 0.1}};
  for (const auto& [maker, base_rate] : cases) {
    const Var w = parameter({5, -3, 0.5f});
    const auto optimizer = maker({{{w}}});
    INFO(optimizer->kind());
    const Schedule schedule({ScheduleKind::cosine, base_rate, 500});
    for (Index t = 0; t < 500; ++t) {
      Tensor g({3});
      for (Index i = 0; i < 3; ++i) g[i] = static_cast<float>(i + 1) * (w.value()[i] - 1);
      Var(w).grad() = g;
      optimizer->step(schedule.rate(t));
    }
    for (Index i = 0; i < 3; ++i) CHECK(w.value()[i] == doctest::Approx(1).epsilon(1e-3));
  }
}

TEST_CASE("optimizers: same bits for any number of threads") {
  const int before = thread_count();
  std::vector<Make> kinds = all_kinds;
  kinds.push_back(make<Sgd>(SgdOptions{}));
  kinds.push_back(make<RmsProp>(RmsPropOptions{}));
  for (const Make& maker : kinds) {
    std::vector<Tensor> results;
    for (const int threads : {1, 2, 3, 4}) {
      set_thread_count(threads);
      Tensor start({100003}), slope({100003});
      fill_normal(start, Philox(1, Stream::init));
      fill_normal(slope, Philox(2, Stream::init));
      const Var w(start, true);
      const auto optimizer = maker({{{w}, 1, 0.01}});
      for (int t = 0; t < 3; ++t) {
        Var(w).grad() = slope.clone();
        clip_gradients_by_norm(optimizer->groups(), 1);
        optimizer->step(0.1);
      }
      results.push_back(w.value());
    }
    for (const Tensor& result : results)
      CHECK(std::equal(result.span().begin(), result.span().end(), results[0].span().begin()));
  }
  set_thread_count(before);
}

TEST_CASE("optimizers: bad hyper-parameters are refused") {
  const Var w = parameter({1});
  const double nan = std::nan("");
  CHECK_THROWS_WITH_AS(Sgd({{{w}, -1, 0, "g"}}),
                       "[optimizer] group \"g\" has a bad rate scale: got -1; expected a finite "
                       "number >= 0",
                       Error);
  CHECK_THROWS_AS(Sgd({{{w}, nan}}), Error);
  CHECK_THROWS_WITH_AS(
      Sgd({{{w}, 1, 1e39, "g"}}),
      "[optimizer] group \"g\" has a bad weight decay: got 1e+39; expected a number "
      ">= 0 that is finite as a float",
      Error);
  Var moved(Tensor({4}, Real(1)), true);
  Sgd moving({{{moved}, 1, 0, "g"}}, {0.9});
  moved.grad() = Tensor({4}, Real(0));
  CHECK_THROWS_WITH_AS(moving.step(1e39), doctest::Contains("finite as a float"), Error);
  moved.value() = Tensor({5}, Real(1));
  moved.grad() = Tensor({5}, Real(1));
  CHECK_THROWS_WITH_AS(moving.step(0.1),
                       doctest::Contains("has changed its shape: got [5]; expected [4]"), Error);
  for (const double d : {-0.1, nan}) CHECK_THROWS_AS(Sgd({{{w}, 1, d}}), Error);
  CHECK_THROWS_WITH_AS(Sgd({{{Var()}, 1, 0, "a"}}),
                       "[optimizer] bad parameter in group \"a\": got none; expected a tensor",
                       Error);
  CHECK_THROWS_WITH_AS(Sgd({{{w}, 1, 0, "a"}, {{w}, 1, 0, "b"}}),
                       "[optimizer] parameter given twice: got \"w\" again in group \"b\"; "
                       "expected every parameter once",
                       Error);
  for (const double mu : {1.0, -0.1, nan}) CHECK_THROWS_AS(Sgd({{{w}}}, {mu}), Error);
  CHECK_THROWS_AS(Sgd({{{w}}}, {0, true}), Error);
  CHECK_THROWS_AS(Adam({{{w}}}, {1.0}), Error);
  CHECK_THROWS_AS(Adam({{{w}}}, {0.9, nan}), Error);
  CHECK_THROWS_AS(Adam({{{w}}}, {0.9, 0.999, 0}), Error);
  const auto refused = [&]<class O, class Options>(const Options& options, const char* text) {
    CHECK_THROWS_WITH_AS(O({{{w}}}, options), text, Error);
  };
  refused.operator()<RmsProp>(RmsPropOptions{.alpha = 1},
                              "[rmsprop] bad alpha: got 1; expected a number in [0, 1)");
  refused.operator()<RmsProp>(
      RmsPropOptions{.epsilon = 0},
      "[rmsprop] bad epsilon: got 0; expected a finite number > 0 as a float");
  refused.operator()<RmsProp>(RmsPropOptions{.momentum = -0.5},
                              "[rmsprop] bad momentum: got -0.5; expected a number in [0, 1)");
  refused.operator()<Adagrad>(AdagradOptions{.rate_decay = -1},
                              "[adagrad] bad rate decay: got -1; expected a finite number >= 0");
  refused.operator()<Adagrad>(
      AdagradOptions{.epsilon = -1},
      "[adagrad] bad epsilon: got -1; expected a finite number > 0 as a float");
  refused.operator()<Adagrad>(AdagradOptions{.initial_sum = -2},
                              "[adagrad] bad initial sum: got -2; expected a number >= 0 that is "
                              "finite as a float");
  // Positive and finite, but not in float: 0 / (0 + epsilon) would be no number.
  for (const double epsilon : {1e-46, 1e300}) {
    CHECK_THROWS_AS(Adam({{{w}}}, {.epsilon = epsilon}), Error);
    CHECK_THROWS_AS(AdamW({{{w}}}, {.epsilon = epsilon}), Error);
    CHECK_THROWS_AS(RmsProp({{{w}}}, {.epsilon = epsilon}), Error);
    CHECK_THROWS_AS(Adagrad({{{w}}}, {.epsilon = epsilon}), Error);
  }
  refused.operator()<Lion>(LionOptions{.beta2 = 1.5},
                           "[lion] bad beta: got 1.5; expected a number in [0, 1)");
  Sgd sgd({{{w}}});
  CHECK_THROWS_WITH_AS(sgd.step(-0.5),
                       "[optimizer] bad learning rate: got -0.5; expected a finite number >= 0",
                       Error);
  CHECK_THROWS_AS(sgd.step(nan), Error);
  CHECK_THROWS_AS(sgd.set_steps(-1), Error);
  Var(w).grad() = Tensor({2}, 1.0f);
  CHECK_THROWS_AS(sgd.step(0.1), Error);
}

}  // namespace fraqat::update_test
