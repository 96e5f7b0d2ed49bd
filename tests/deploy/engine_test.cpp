#include "quant/deploy/engine.hpp"

#include <doctest/doctest.h>

#include <numeric>

#include "core/parallel.hpp"
#include "tests/deploy/random_graph.hpp"

namespace fraqat::engine_test {

using namespace fraqat::deploy;
using fraqat::test::Dice;
using fraqat::test::Stored;

namespace {

/// Different integers in all values of two runs.
Index differences(const Outputs& a, const Outputs& b) {
  Index count = a.accumulators == b.accumulators ? 0 : 1;
  REQUIRE(a.values.size() == b.values.size());
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    REQUIRE(a.values[i].size() == b.values[i].size());
    for (std::size_t k = 0; k < a.values[i].size(); ++k) count += a.values[i][k] != b.values[i][k];
  }
  return count;
}

const Conv2d small_conv = [] {
  Conv2d conv;
  conv.weight = {.shape = {2, 2, 2, 1},
                 .width = {4},
                 .grid = {{-7, 7}},
                 .codes = {1, 2, 3, 4, -1, 0, 0, 2},
                 .scale = {0.5f}};
  conv.multiplier = {0.5f, -1};
  conv.offset = {3, 10};
  conv.padding = 1;
  return conv;
}();

}  // namespace

TEST_CASE("a convolution by hand: the padding stands for the zero-point") {
  Graph graph;
  graph.input = {.shape = {2, 2, 1}, .width = 4, .grid = {0, 15}, .scale = 0.5f, .zero = 5};
  append(
      graph,
      {"conv", {0}, small_conv, {.shape = {}, .width = 4, .grid = {0, 15}, .scale = 1, .zero = 3}});
  append(graph, {"flat", {1}, Reshape{{18}}, {}});
  Linear sum;
  sum.weight = {.shape = {1, 18},
                .width = {2},
                .grid = {{-1, 1}},
                .codes = std::vector<std::int8_t>(18, 1),
                .scale = {1}};
  sum.multiplier = {2};
  sum.offset = {0.25f};
  append(graph, {"fc", {2}, sum, {.shape = {}, .width = Value::accumulator_width}});

  // Numbers 1, -2, 0, 99 are the codes 7, 1, 5, 15 (the top), less Z: 2, -4, 0, 10.
  const float image[] = {1, -2, 0, 99};
  const Tensor images({1, 2, 2, 1}, image);
  const Outputs a = evaluate(graph, images, true), b = Engine(graph).run(images, true);
  CHECK(a.values[0] == Integers{7, 1, 5, 15});
  // The middle window: acc 2 - 8 + 0 + 40 = 34 and -2 + 20 = 18; 0.5 * 34 + 3 is
  // clamped to 15, -18 + 10 to 0.
  CHECK(a.values[1].size() == 18);
  CHECK(a.values[1][8] == 15);
  CHECK(a.values[1][9] == 0);
  // Top left window: only x = 2 under w[1, 1]: acc 8 and 4.
  CHECK(a.values[1][0] == 7);
  CHECK(a.values[1][1] == 6);
  // Bottom right window: x = 10 under w[0, 0]: acc 10 and -10.
  CHECK(a.values[1][16] == 8);
  CHECK(a.values[1][17] == 15);
  const std::int32_t total =
      std::accumulate(a.values[1].begin(), a.values[1].end(), std::int32_t{0}) - 18 * 3;
  CHECK(a.accumulators == Integers{total});
  CHECK(a.logits.item() == 2 * static_cast<float>(total) + 0.25f);
  CHECK(differences(a, b) == 0);
}

TEST_CASE("evaluation and engine agree in every integer of random networks") {
  for (const Stored stored : test::every_storage) {
    Index integers = 0, different_codes = 0;
    std::vector<Index> ops(std::variant_size_v<decltype(Op::what)>);
    for (std::uint32_t seed = 1; seed <= 120; ++seed) {
      const Graph graph = test::random_graph(seed, stored);
      for (const Op& op : graph.ops) ++ops[op.what.index()];
      const Engine engine(graph);
      for (const Index batch : {1, 7}) {
        const Tensor images = test::random_images(graph, batch, seed);
        const Outputs a = evaluate(graph, images, true);
        REQUIRE_MESSAGE(differences(a, engine.run(images, true)) == 0, "seed ", seed);
        for (const Integers& value : a.values) {
          integers += static_cast<Index>(value.size());
          for (const std::int32_t q : value) different_codes += q != value[0];
        }
      }
    }
    CHECK(integers > 100000);
    CHECK(different_codes > integers / 3);  // not everything is clamped to one end
    for (const Index count : ops) CHECK(count >= 20);
  }
}

TEST_CASE("engine: samples do not depend on each other, on the batch or on threads") {
  const int before = thread_count();
  for (std::uint32_t seed = 201; seed <= 206; ++seed) {
    const Graph graph = test::random_graph(seed);
    const Engine engine(graph);
    const Tensor images = test::random_images(graph, 67, seed);
    const Outputs all = engine.run(images, true);
    for (const int threads : {1, 2, 3, 4}) {
      set_thread_count(threads);
      CHECK(differences(all, engine.run(images, true)) == 0);
      CHECK(differences(all, evaluate(graph, images, true)) == 0);
    }
    const Index size = graph.input.shape.size(), classes = graph.ops.back().output.shape.size();
    Tensor last = test::random_images(graph, 1, 1);
    std::copy_n(images.data() + 66 * size, size, last.data());
    const Outputs one = engine.run(last);
    CHECK(one.values.empty());
    CHECK(std::equal(one.accumulators.begin(), one.accumulators.end(),
                     all.accumulators.end() - classes));
  }
  set_thread_count(before);
}

TEST_CASE("float products stay exact at, below and above 2^24") {
  // 255 * 127 K: 518 products stay below 2^24, 519 do not.
  for (const Index K : {1, 517, 518, 519, 1040, 4096, 20000}) {
    Dice dice(static_cast<std::uint32_t>(K));
    std::vector<std::int8_t> codes(static_cast<std::size_t>(3 * K), 127);  // row 0: the worst case
    for (std::size_t i = static_cast<std::size_t>(K); i < codes.size(); ++i)
      codes[i] = static_cast<std::int8_t>(
          i < static_cast<std::size_t>(2 * K) ? (i % 2 ? -127 : 126) : dice.whole(-127, 127));
    const Graph graph = test::linear_graph(K, 3, codes);
    Tensor images({2, K}, 255.0f);
    for (Index i = 0; i < K; ++i) images[i] = static_cast<float>(dice.whole(128, 255));
    const Outputs a = evaluate(graph, images), b = Engine(graph).run(images);
    CHECK(exact_parts(std::get<Linear>(graph.ops[0].what).weight, 255).size() ==
          static_cast<std::size_t>((K + 517) / 518));
    for (Index n = 0; n < 2; ++n)
      for (Index o = 0; o < 3; ++o) {
        std::int64_t sum = 0;
        for (Index i = 0; i < K; ++i)
          sum += static_cast<std::int64_t>(images[n * K + i]) *
                 codes[static_cast<std::size_t>(o * K + i)];
        CHECK(a.accumulators[static_cast<std::size_t>(3 * n + o)] == sum);
        CHECK(b.accumulators[static_cast<std::size_t>(3 * n + o)] == sum);
      }
  }
}

TEST_CASE("accumulators of 32 bits: 66,311 products of 255 and 127 are the most") {
  const auto graph_of = [](Index K) {
    return test::linear_graph(K, 1, std::vector<std::int8_t>(static_cast<std::size_t>(K), 127));
  };
  const Index most = ((Index{1} << 31) - 1) / (255 * 127);
  const Graph graph = graph_of(most);
  const Tensor images({1, most}, 255.0f);
  const auto sum = static_cast<std::int32_t>(most * 255 * 127);
  CHECK(accumulator_bounds(graph, graph.ops[0]) == std::vector<std::int64_t>{sum});
  CHECK(evaluate(graph, images).accumulators == Integers{sum});
  CHECK(Engine(graph).run(images).accumulators == Integers{sum});
  CHECK_THROWS_WITH_AS(graph_of(most + 1), doctest::Contains("accumulators may overflow"), Error);
}

TEST_CASE("predictions: the first of equal logits") {
  Outputs outputs;
  const float logits[] = {1, 3, 3, -1, -2, -1};
  outputs.logits = Tensor({2, 3}, logits);
  CHECK(predictions(outputs) == std::vector<Index>{1, 0});
}

TEST_CASE("runs refuse images of another shape") {
  const Graph graph = test::random_graph(1);
  const Tensor wrong({1, 2, 2, 1}, 0.0f);
  CHECK_THROWS_WITH_AS(evaluate(graph, wrong), doctest::Contains("[evaluate] wrong images"), Error);
  CHECK_THROWS_WITH_AS(Engine(graph).run(wrong), doctest::Contains("[engine] wrong images"), Error);
}

}  // namespace fraqat::engine_test
