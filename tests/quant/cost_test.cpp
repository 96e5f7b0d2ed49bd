#include "quant/cost.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "core/random.hpp"
#include "models/models.hpp"
#include "nn/containers.hpp"
#include "nn/layers.hpp"
#include "quant/attach.hpp"
#include "tests/support/sum_of_products.hpp"

namespace fraqat::cost_test {

using quant::Cost;
using quant::Role;
using quant::Sum;
using quant::Workload;

namespace {

Tensor image(std::initializer_list<Index> shape) {
  Tensor x{Shape(shape)};
  fill_uniform(x, 0, 1, Philox(1, Stream::synthetic));
  return x;
}

std::size_t position(const Workload& workload, const std::string& name) {
  for (std::size_t k = 0; k < workload.quantizers.size(); ++k)
    if (workload.quantizers[k]->info().name == name) return k;
  FAIL("no quantizer " << name);
  return 0;
}

/// Widths from 2 to 8, all different.
std::vector<double> some_widths(std::size_t count) {
  std::vector<double> widths;
  for (std::size_t k = 0; k < count; ++k)
    widths.push_back(2 + 6 * std::fmod(0.618 * static_cast<double>(k + 1), 1.0));
  return widths;
}

/// Central differences, which are exact for sums of products.
void check_slopes(const Cost& cost, std::size_t count) {
  const std::vector<double> widths = some_widths(count), slopes = cost.slopes(widths);
  constexpr double h = 1e-4;
  for (std::size_t k = 0; k < count; ++k) {
    std::vector<double> up = widths, down = widths;
    up[k] += h;
    down[k] -= h;
    const double measured = (cost.value(up) - cost.value(down)) / (2 * h);
    CHECK(slopes[k] == doctest::Approx(measured).epsilon(1e-6));
  }
}

}  // namespace

TEST_CASE("costs: derivatives are finite differences, for all of them") {
  const auto model = models::make("tiny-resnet", {28, 28, 1}, 10, 1);
  quant::attach(*model, image({1, 28, 28, 1}), {});
  const Workload workload = quant::workload_of(*model, image({1, 28, 28, 1}));
  const std::size_t count = workload.quantizers.size();
  check_slopes(quant::average_bits(workload, Role::weight), count);
  check_slopes(quant::average_bits(workload, Role::activation), count);
  check_slopes(quant::model_bytes(workload), count);
  check_slopes(quant::bit_operations(workload), count);
  check_slopes(quant::peak_activation_bytes(workload), count);
}

TEST_CASE("costs: a product reads the narrow copy of a wide sum, which is in memory beside it") {
  const auto first = models::make("tiny-resnet", {28, 28, 1}, 10, 1);
  const auto second = models::make("tiny-resnet", {28, 28, 1}, 10, 1);
  quant::Spec spec;
  spec.weight.start = 3;
  spec.activation.start = 2;
  quant::attach(*first, image({1, 28, 28, 1}), spec);
  const Workload narrow = quant::workload_of(*first, image({1, 28, 28, 1}));
  spec.sum_bits = 8;
  quant::attach(*second, image({1, 28, 28, 1}), spec);
  const Workload wide = quant::workload_of(*second, image({1, 28, 28, 1}));
  const auto exact = [](const Workload& workload, const quant::Cost& cost) {
    std::vector<quant::Width> bits;
    for (const quant::Quantizer* q : workload.quantizers) bits.push_back(q->hard_bits());
    return cost.exact(bits);
  };
  CHECK(exact(wide, quant::bit_operations(wide)) == exact(narrow, quant::bit_operations(narrow)));
  CHECK(exact(wide, quant::average_bits(wide, Role::activation)) == 2);
  CHECK(wide.moments.size() == narrow.moments.size() + 3);
  // The first add has most, three times 28 x 28 x 8 codes: of 8 bits instead of 2.
  CHECK(exact(narrow, quant::peak_activation_bytes(narrow)) == 3 * 6272 / 4);
  CHECK(exact(wide, quant::peak_activation_bytes(wide)) == 3 * 6272);
  check_slopes(quant::peak_activation_bytes(wide), wide.quantizers.size());
}

TEST_CASE("costs: lenet5-bn, counted by hand") {
  const auto model = models::make("lenet5-bn", {28, 28, 1}, 10, 1);
  quant::TensorSpec weight{.bits = "fixed", .start = 3, .lowest = 3, .highest = 3};
  quant::TensorSpec activation{.bits = "fixed", .start = 5, .lowest = 5, .highest = 5};
  quant::attach(*model, image({2, 28, 28, 1}), {weight, activation});
  const Workload workload = quant::workload_of(*model, image({2, 28, 28, 1}));
  for (const nn::Named<nn::Slot>& slot : nn::slots(*model))
    if (*slot.item) CHECK(dynamic_cast<quant::Quantizer*>(slot.item->get()) != nullptr);
  std::vector<quant::Width> bits;
  for (const quant::Quantizer* q : workload.quantizers) bits.push_back(q->hard_bits());

  // 28 x 28 outputs of 25 products for 6 channels, and so on.
  const Index conv1 = 784 * 25 * 6, conv2 = 100 * 150 * 16, fc = 48000 + 10080 + 840;
  CHECK(quant::bit_operations(workload).exact(bits) ==
        static_cast<double>(conv1 * 8 * 3 + (conv2 + fc) * 5 * 3));

  CHECK(quant::average_bits(workload, Role::weight).exact(bits) == 3);
  CHECK(quant::average_bits(workload, Role::activation).exact(bits) == 5);
  const Index codes =
      (150 * 3 + 7) / 8 + 2400 * 3 / 8 + 48000 * 3 / 8 + 10080 * 3 / 8 + 840 * 3 / 8;
  const Index channels = 6 + 16 + 120 + 84 + 10;
  CHECK(quant::model_bytes(workload).exact(bits) ==
        static_cast<double>(codes + 8 * channels + 4 * 5));

  // conv1 reads the image, 8 bits, and writes 28 x 28 x 6 codes: more than the pool
  // needs, which reads these and writes a quarter of them.
  CHECK(quant::peak_activation_bytes(workload).exact(bits) == 784 + 4704 * 5 / 8);
  bits[position(workload, "relu1.output_q")] = 8;
  CHECK(quant::peak_activation_bytes(workload).exact(bits) == 4704 + 1176);
}

TEST_CASE("costs: the most in memory at once, on a graph made by hand") {
  test::SumOfProducts net;
  quant::attach(net, image({1, 8}), {});
  const Workload workload = quant::workload_of(net, image({1, 8}));
  const std::size_t x = position(workload, "fc1.input_q"), a = position(workload, "fc1.output_q"),
                    b = position(workload, "fc2.output_q"),
                    sum = position(workload, "add.output_q");
  REQUIRE(workload.added.size() == 1);
  CHECK(workload.added[0] == std::pair(std::min(a, b), std::max(a, b)));
  const Cost peak = quant::peak_activation_bytes(workload);
  std::vector<quant::Width> bits(workload.quantizers.size(), 8);
  const auto at = [&](int bx, int ba, int bb, int bs) {
    bits[x] = bx;
    bits[a] = ba;
    bits[b] = bb;
    bits[sum] = bs;
    return peak.exact(bits);
  };
  const auto bytes = [](Index n, int width) { return (n * width + 7) / 8; };
  for (int seed = 0; seed < 200; ++seed) {
    const auto draw = [&](int i) {
      const Philox random(1, Stream::synthetic);
      return 2 + static_cast<int>(
                     random({0, 0, static_cast<std::uint32_t>(seed), 0})[std::size_t(i)] % 7);
    };
    const int bx = draw(0), ba = draw(1), bb = draw(2), bs = draw(3);
    // Each op: what it reads, what it writes, and a, which the add still needs.
    const Index expected =
        std::max({bytes(8, bx) + bytes(16, ba), bytes(16, ba) + bytes(16, bb),
                  bytes(16, ba) + bytes(16, bb) + bytes(16, bs), bytes(16, bs) + 4 * 4});
    CHECK(at(bx, ba, bb, bs) == static_cast<double>(expected));
  }
}

TEST_CASE("costs: residual blocks keep their input alive, and know what they add") {
  const auto model = models::make("tiny-resnet", {28, 28, 1}, 10, 1);
  quant::attach(*model, image({1, 28, 28, 1}), {});
  const Workload workload = quant::workload_of(*model, image({1, 28, 28, 1}));
  const std::size_t stem = position(workload, "relu1.output_q"),
                    body = position(workload, "block1.body.bn2.output_q");
  CHECK(workload.added.size() == 3);
  CHECK(workload.added[0] == std::pair(std::min(stem, body), std::max(stem, body)));
  std::vector<quant::Width> bits(workload.quantizers.size(), 2);
  // block1: its input, the body's result and the sum, 28 x 28 x 8 codes of 2 bits each.
  CHECK(quant::peak_activation_bytes(workload).exact(bits) == 3 * 28 * 28 * 8 * 2 / 8);
}

TEST_CASE("costs: limits are whole units") {
  Sum bits{{{0, Sum::none, 300}}, 0, 300, false};
  CHECK(bits.limit(2.5) == 750);
  Sum bytes{{{0, Sum::none, 10}}, 4, 8, true};
  CHECK(bytes.limit(20.9) == 20);
  CHECK(bytes.count(std::vector<quant::Width>{3}) == 4 + 4);
}

TEST_CASE("costs: a limit beyond any network holds for all of it") {
  for (const double target : {1e18, 1e19, 1e30, 1e300}) {
    CAPTURE(target);
    Sum bits{{{0, Sum::none, 300}}, 0, 300, false};
    CHECK(bits.limit(target) > Index{1} << 50);
    Sum rows{{{0, Sum::none, 300, 0}}, 4, 8, true};
    REQUIRE(rows.fineness() == 8);
    CHECK(rows.limit(target) > Index{1} << 50);
    CHECK(rows.term_limit(rows.limit(target)) > rows.limit(target));
  }
}

}  // namespace fraqat::cost_test
