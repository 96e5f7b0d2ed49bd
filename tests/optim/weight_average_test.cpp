#include "optim/weight_average.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "core/parallel.hpp"
#include "core/random.hpp"
#include "tests/optim/makers.hpp"

namespace fraqat::weight_average_test {

using namespace fraqat::optim;
using namespace fraqat::test;
using Start = WeightAverageOptions::Start;

namespace {

float average_of(WeightAverage& average, const Var& w, Index i = 0) {
  const Averaged inside(average);
  return w.value()[i];
}

float weight_at(int t) { return 2 + std::sin(1.7f * static_cast<float>(t)); }

}  // namespace

TEST_CASE("average: initial, the recursion as it is written in books") {
  Var w = parameter({weight_at(0)});
  WeightAverage average({w}, {0.9, Start::initial});
  double expected = double{weight_at(0)};
  for (int t = 1; t <= 40; ++t) {
    w.value()[0] = weight_at(t);
    average.update();
    expected = 0.9 * expected + 0.1 * double{weight_at(t)};
    CHECK(average_of(average, w) == doctest::Approx(expected).epsilon(1e-6));
  }
}

TEST_CASE("average: corrected, the weighted mean of all that was seen and of nothing else") {
  Var w = parameter({1000});
  WeightAverage average({w}, {0.9, Start::corrected});
  for (int t = 1; t <= 40; ++t) {
    w.value()[0] = weight_at(t);
    average.update();
    double sum = 0, total = 0;
    for (int k = 1; k <= t; ++k) {
      sum += std::pow(0.9, t - k) * double{weight_at(k)};
      total += std::pow(0.9, t - k);
    }
    CHECK(average_of(average, w) == doctest::Approx(sum / total).epsilon(1e-6));
    if (t == 1) CHECK(average_of(average, w) == weight_at(1));
  }
}

TEST_CASE("average: warm-up begins with a decay of 2/11 and grows to the one asked for") {
  Var w = parameter({weight_at(0)});
  WeightAverage average({w}, {0.75, Start::warm_up});
  double expected = double{weight_at(0)};
  for (int t = 1; t <= 60; ++t) {
    w.value()[0] = weight_at(t);
    average.update();
    // (1 + t) / (10 + t) is 3/4 at t = 26.
    const double beta = t < 26 ? (1.0 + t) / (10.0 + t) : 0.75;
    expected = beta * expected + (1 - beta) * double{weight_at(t)};
    CHECK(average_of(average, w) == doctest::Approx(expected).epsilon(1e-6));
  }
}

TEST_CASE("average: weights that do not move are their own average") {
  Var w = parameter({0.1f, -3.7f, 1e-20f, 0});
  for (const Start start : {Start::initial, Start::corrected, Start::warm_up}) {
    WeightAverage average({w}, {0.9999, start});
    for (int t = 0; t < 1000; ++t) average.update();
    for (Index i = 0; i < 4; ++i) CHECK(average_of(average, w, i) == w.value()[i]);
  }
}

TEST_CASE("average: swapped in and out, the weights come back, whatever is thrown") {
  Var w = parameter({1, 2}), v = parameter({3}, "v");
  WeightAverage average({w, v}, {0.5, Start::initial});
  w.value()[0] = 2;
  v.value()[0] = 5;
  average.update();
  try {
    const Averaged inside(average);
    CHECK(average.swapped());
    CHECK(w.value()[0] == 1.5f);
    CHECK(w.value()[1] == 2);
    CHECK(v.value()[0] == 4);
    throw std::runtime_error("evaluation failed");
  } catch (const std::runtime_error&) {
  }
  CHECK_FALSE(average.swapped());
  CHECK(w.value()[0] == 2);
  CHECK(v.value()[0] == 5);
  average.update();
  CHECK(average_of(average, w) == 1.75f);
}

TEST_CASE("average: state moved to a second one continues to the bit") {
  for (const Start start : {Start::initial, Start::corrected, Start::warm_up}) {
    Var w = parameter({weight_at(0)}), copy = parameter({99});
    WeightAverage first({w}, {0.9, start}), second({copy}, {0.9, start});
    for (int t = 1; t < 7; ++t) {
      w.value()[0] = weight_at(t);
      first.update();
    }
    std::vector<std::pair<std::string, Tensor>> saved;
    first.visit_state([&](const std::string& n, Tensor& t) { saved.emplace_back(n, t.clone()); });
    REQUIRE(saved.size() == 2);
    CHECK(saved[0].first == "average.w");
    CHECK(saved[1].first == "average_updates");
    std::size_t next = 0;
    second.visit_state([&](const std::string&, Tensor& t) { t[0] = saved[next++].second[0]; });
    for (int t = 7; t < 15; ++t) {
      w.value()[0] = copy.value()[0] = weight_at(t);
      first.update();
      second.update();
      CHECK(average_of(first, w) == average_of(second, copy));
    }
  }
}

TEST_CASE("average: same bits for any number of threads") {
  const int before = thread_count();
  std::vector<Tensor> results;
  for (const int threads : {1, 2, 3, 4}) {
    set_thread_count(threads);
    Tensor numbers({100003});
    fill_normal(numbers, Philox(1, Stream::init));
    Var w(numbers, true);
    WeightAverage average({w});
    for (int t = 0; t < 3; ++t) {
      average.update();
      for (float& x : w.value().span()) x *= 1.1f;
    }
    const Averaged inside(average);
    results.push_back(w.value());
  }
  for (const Tensor& result : results)
    CHECK(std::equal(result.span().begin(), result.span().end(), results[0].span().begin()));
  set_thread_count(before);
}

TEST_CASE("average: what cannot be is refused") {
  Var w = parameter({1}, "conv.weight");
  const auto says = [](const auto& f, const char* text) { CHECK_THROWS_WITH_AS(f(), text, Error); };
  says([&] { WeightAverage({w}, {1.0}); },
       "[weight_average] bad decay: got 1; expected a number in [0, 1)");
  says([&] { WeightAverage({w}, {-0.5}); },
       "[weight_average] bad decay: got -0.5; expected a number in [0, 1)");
  says([&] { WeightAverage({Var()}); },
       "[weight_average] bad parameter: got none; expected a tensor");
  says(
      [&] {
        WeightAverage({w, w});
      },
      "[weight_average] parameter given twice: got \"conv.weight\" again; expected every parameter "
      "once");
  WeightAverage average({w});
  says([&] { average.swap_in(); },
       "[weight_average] cannot swap in: got 0 updates; expected 1 or more; try update()");
  says(
      [&] { average.swap_out(); },
      "[weight_average] cannot swap out: got the weights in their place; expected the average; try "
      "swap_in()");
  average.update();
  {
    const Averaged inside(average);
    says(
        [&] { average.update(); },
        "[weight_average] cannot update: got the average in the place of the weights; expected the "
        "weights; try swap_out()");
    says([&] { average.swap_in(); },
         "[weight_average] cannot swap in: got the average in the place of the weights; expected "
         "the "
         "weights; try swap_out()");
    says([&] { average.visit_state([](const std::string&, Tensor&) {}); },
         "[weight_average] cannot show the state: got the average in the place of the weights; "
         "expected the weights; try swap_out()");
  }
  w.value() = Tensor({2}, 1.0f);
  says([&] { average.update(); },
       "[weight_average] \"conv.weight\" has changed its shape: got [2]; expected [1]");
}

}  // namespace fraqat::weight_average_test
