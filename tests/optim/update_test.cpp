#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <functional>
#include <memory>

#include "core/parallel.hpp"
#include "core/random.hpp"
#include "optim/optimizer.hpp"

using namespace fraqat;
using namespace fraqat::optim;

namespace {

using Make = std::function<std::unique_ptr<Optimizer>(std::vector<ParameterGroup>)>;

template <class O, class Options>
Make make(const Options& options) {
  return [options](std::vector<ParameterGroup> groups) {
    return std::make_unique<O>(std::move(groups), options);
  };
}

Var parameter(std::initializer_list<float> values, std::string name = "w") {
  Var w(Tensor({static_cast<Index>(values.size())}, std::span(values.begin(), values.size())),
        true);
  w.set_name(std::move(name));
  return w;
}

/// The gradient of the golden runs, at step t.
Tensor gradient(const Var& w, int t) {
  constexpr std::array slope = {3.0f, -1.0f, 0.25f}, curve = {1.0f, 0.5f, 2.0f};
  Tensor g({3});
  for (Index i = 0; i < 3; ++i) {
    const auto k = static_cast<std::size_t>(i);
    g[i] = slope[k] * static_cast<float>(t % 4 - 1) + w.value()[i] * curve[k];
  }
  return g;
}

/// What an update does to one number, written down by hand and in double.
struct Scalar {
  double w, m = 0, v = 0;
  int t = 0;
};

using Formula = std::function<void(Scalar&, double g)>;

constexpr double rate = 0.1, decay = 0.05;

/// Follows `formula` number by number for 24 steps.
void check_formula(const Make& make, const Formula& formula, double group_decay) {
  const Var w = parameter({1, -2, 0.5f});
  std::array<Scalar, 3> expected = {Scalar{1}, Scalar{-2}, Scalar{0.5}};
  const auto optimizer = make({{{w}, 1, group_decay}});
  for (int t = 0; t < 24; ++t) {
    const Tensor g = gradient(w, t);
    Var(w).grad() = g;
    optimizer->step(rate);
    for (Index i = 0; i < 3; ++i) {
      Scalar& e = expected[static_cast<std::size_t>(i)];
      formula(e, double{g[i]});
      CHECK(double{w.value()[i]} == doctest::Approx(e.w).epsilon(2e-5));
    }
  }
}

/// The end of a 12-step run of PyTorch 1.13 in double, by this program:
///
///   w = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))
///   opt = torch.optim.SGD([w], 0.1, momentum=0.9, nesterov=True, weight_decay=0.05)
///   for t in range(12):
///       w.grad = (torch.tensor([3.0, -1.0, 0.25]) * (t % 4 - 1)
///                 + w.detach() * torch.tensor([1.0, 0.5, 2.0]))
///       opt.step()
///   print(w.tolist())
void check_golden(const Make& make, double group_decay, std::array<double, 3> expected) {
  const Var w = parameter({1, -2, 0.5f});
  const auto optimizer = make({{{w}, 1, group_decay}});
  for (int t = 0; t < 12; ++t) {
    Var(w).grad() = gradient(w, t);
    optimizer->step(rate);
  }
  for (Index i = 0; i < 3; ++i)
    CHECK(double{w.value()[i]} ==
          doctest::Approx(expected[static_cast<std::size_t>(i)]).epsilon(1e-5));
}

constexpr double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;

double adam_step(Scalar& s, double g) {
  ++s.t;
  s.m = beta1 * s.m + (1 - beta1) * g;
  s.v = beta2 * s.v + (1 - beta2) * g * g;
  const double m = s.m / (1 - std::pow(beta1, s.t)), v = s.v / (1 - std::pow(beta2, s.t));
  return rate * m / (std::sqrt(v) + epsilon);
}

}  // namespace

TEST_CASE("sgd: every step is the formula's") {
  check_formula(
      make<Sgd>(SgdOptions{}), [](Scalar& s, double g) { s.w -= rate * g; }, 0);
  check_formula(
      make<Sgd>(SgdOptions{}), [](Scalar& s, double g) { s.w -= rate * (g + decay * s.w); }, decay);
  check_formula(
      make<Sgd>(SgdOptions{0.9}),
      [](Scalar& s, double g) {
        s.m = 0.9 * s.m + g + decay * s.w;
        s.w -= rate * s.m;
      },
      decay);
  check_formula(
      make<Sgd>(SgdOptions{0.9, true}),
      [](Scalar& s, double g) {
        const double slope = g + decay * s.w;
        s.m = 0.9 * s.m + slope;
        s.w -= rate * (slope + 0.9 * s.m);
      },
      decay);
  check_formula(
      make<Sgd>(SgdOptions{0.9, true, true}),
      [](Scalar& s, double g) {
        s.m = 0.9 * s.m + g;
        s.w = s.w - rate * decay * s.w - rate * (g + 0.9 * s.m);
      },
      decay);
}

TEST_CASE("adam, adamw: every step is the formula's") {
  check_formula(
      make<Adam>(AdamOptions{}), [](Scalar& s, double g) { s.w -= adam_step(s, g + decay * s.w); },
      decay);
  check_formula(
      make<AdamW>(AdamOptions{}),
      [](Scalar& s, double g) { s.w = s.w - rate * decay * s.w - adam_step(s, g); }, decay);
}

TEST_CASE("optimizers agree with PyTorch") {
  check_golden(make<Sgd>(SgdOptions{}), 0,
               {-1.076551687392, -0.5621830431820215, -0.05586594918400001});
  check_golden(make<Sgd>(SgdOptions{}), decay,
               {-1.0775403572812938, -0.5031073020830976, -0.057483397385801625});
  check_golden(make<Sgd>(SgdOptions{0.9}), decay,
               {-3.06822528917808, 2.344117853073312, 0.15583812190087767});
  check_golden(make<Sgd>(SgdOptions{0.9, true}), decay,
               {-2.7873113851771127, 2.1348802830483407, -0.042125680370059454});
  check_golden(make<Adam>(AdamOptions{}), decay,
               {0.5573934084174038, -1.0285612016912227, -0.26971178756441044});
  check_golden(make<AdamW>(AdamOptions{}), decay,
               {0.5195008970946354, -1.0544920952419496, -0.2650149034383788});
  check_golden(make<Adam>(AdamOptions{0.8, 0.95, 1e-3}), 0,
               {0.5351666632667255, -1.132132690659243, -0.19075252376206744});
}

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
  for (const Make& maker :
       {make<Sgd>(SgdOptions{0.9}), make<Adam>(AdamOptions{}), make<AdamW>(AdamOptions{})}) {
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
  for (const Make& maker :
       {make<Sgd>(SgdOptions{0.9, true}), make<Adam>(AdamOptions{}), make<AdamW>(AdamOptions{})}) {
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
  for (const Make& maker :
       {make<Sgd>(SgdOptions{}), make<Sgd>(SgdOptions{0.9}), make<Sgd>(SgdOptions{0.9, true}),
        make<Adam>(AdamOptions{}), make<AdamW>(AdamOptions{})}) {
    const Var w = parameter({5, -3, 0.5f});
    const auto optimizer = maker({{{w}}});
    const Schedule schedule({ScheduleKind::cosine, 0.1, 500});
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
  for (const Make& maker : {make<Sgd>(SgdOptions{}), make<Sgd>(SgdOptions{0.9, true}),
                            make<Adam>(AdamOptions{}), make<AdamW>(AdamOptions{})}) {
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
  for (const double d : {-0.1, nan}) CHECK_THROWS_AS(Sgd({{{w}, 1, d}}), Error);
  CHECK_THROWS_AS(Sgd({{{Var()}}}), Error);
  CHECK_THROWS_WITH_AS(Sgd({{{w}, 1, 0, "a"}, {{w}, 1, 0, "b"}}),
                       "[optimizer] parameter \"w\" is given twice, the second time in group "
                       "\"b\"; expected every parameter once",
                       Error);
  for (const double mu : {1.0, -0.1, nan}) CHECK_THROWS_AS(Sgd({{{w}}}, {mu}), Error);
  CHECK_THROWS_AS(Sgd({{{w}}}, {0, true}), Error);
  CHECK_THROWS_AS(Adam({{{w}}}, {1.0}), Error);
  CHECK_THROWS_AS(Adam({{{w}}}, {0.9, nan}), Error);
  CHECK_THROWS_AS(Adam({{{w}}}, {0.9, 0.999, 0}), Error);
  Sgd sgd({{{w}}});
  CHECK_THROWS_WITH_AS(sgd.step(-0.5),
                       "[optimizer] bad learning rate: got -0.5; expected a finite number >= 0",
                       Error);
  CHECK_THROWS_AS(sgd.step(nan), Error);
  CHECK_THROWS_AS(sgd.set_steps(-1), Error);
  Var(w).grad() = Tensor({2}, 1.0f);
  CHECK_THROWS_AS(sgd.step(0.1), Error);
}
