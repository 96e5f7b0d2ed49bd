#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "nn/containers.hpp"
#include "nn/layers.hpp"
#include "quant/attach.hpp"
#include "quant/bits_by_name.hpp"

namespace fraqat::combinations_test {

// Every bit policy with every range policy, kind of codes and granularity, for
// weights and activations alike.  A new name in one of these lists is all it takes.

using quant::Coding;
using quant::Quantizer;
using quant::Role;

namespace {

const std::vector<std::string> ranges = {"minmax", "percentile", "mse", "kl", "learned"};

/// What a network is quantized with.
struct Combination {
  std::string bits, range;
  bool per_channel, affine, channel_bits = false;

  quant::Spec spec(const std::string& policy, double start) const {
    quant::TensorSpec tensors;
    tensors.bits = policy;
    tensors.start = start;
    tensors.range = range;
    quant::Spec spec{tensors, tensors};
    spec.weight.per_channel = per_channel;
    spec.weight.bits_per_channel = channel_bits && policy != "fixed";
    spec.activation.affine = affine;
    return spec;
  }
};

std::vector<Combination> all_combinations() {
  std::vector<Combination> all;
  for (const std::string& bits : quant::bit_policies())
    for (const std::string& range : ranges)
      for (const bool affine : {false, true}) {
        for (const bool per_channel : {false, true})
          all.push_back({bits, range, per_channel, affine});
        if (quant::has_row_widths(bits)) all.push_back({bits, range, true, affine, true});
      }
  return all;
}

/// Activations of both signs after fc1, none below 0 after relu.
std::unique_ptr<nn::Sequential> net() {
  nn::Initializer init(3);
  auto net = std::make_unique<nn::Sequential>();
  net->add(std::make_unique<nn::Linear>(12, 9, init), "fc1");
  net->add(std::make_unique<nn::Linear>(9, 8, init), "fc2");
  net->add(std::make_unique<nn::Relu>(), "relu");
  net->add(std::make_unique<nn::Linear>(8, 3, init), "fc3");
  nn::name_modules(*net);
  return net;
}

Tensor images() {
  Tensor x({32, 12});
  fill_uniform(x, -1, 1, Philox(5, Stream::synthetic));
  return x;
}

std::unique_ptr<nn::Sequential> quantized(const quant::Spec& spec) {
  std::unique_ptr<nn::Sequential> model = net();
  quant::quantize(*model, images(), spec);
  return model;
}

/// Of the weights and activations; not of the image, which is 8 bits for good.
std::vector<Quantizer*> searched(nn::Module& model) {
  std::vector<Quantizer*> some;
  for (Quantizer* q : quant::quantizers(model))
    if (q->info().role != Role::input) some.push_back(q);
  return some;
}

std::vector<float> outputs(nn::Module& model) {
  const Tensor y = model(Var(images())).value();
  return {y.data(), y.data() + y.size()};
}

/// What is done with the slot behind a relu, and numbers of both signs.
using Use = std::function<Var(const nn::Slot&, const Var&)>;

/// What `use` makes of them in training, max-pooled, and the gradients of its weighted sum to
/// them and to all parameters.
std::vector<std::vector<float>> behind_relu(const Combination& c, const Use& use) {
  const auto model = quantized(c.spec(c.bits, c.bits == "fixed" ? 4 : 4.5));
  const nn::Slot* slot = nullptr;
  for (const auto& [name, found] : nn::slots(*model))
    if (name == "relu.output_q") slot = found;
  REQUIRE(slot);
  Tensor numbers({4, 4, 4, 4}), factors({4, 2, 2, 4});
  fill_uniform(numbers, -1, 1, Philox(6, Stream::synthetic));
  fill_uniform(factors, -1, 1, Philox(7, Stream::synthetic));
  for (Index i = 0; i < numbers.size(); i += 5) numbers[i] = 0;  // where relu passes nothing
  const Var x(numbers, true);
  const TrainingStep step({1, 0, 0});
  Tape tape;
  Var y = use(*slot, x);
  if (y.shape() != factors.shape()) y = op::max_pool2d(y);
  tape.backward(op::sum(op::mul(y, Var(factors))));
  std::vector<std::vector<float>> all;
  const auto keep = [&](const Tensor& t) { all.emplace_back(t.data(), t.data() + t.size()); };
  keep(y.value());
  keep(x.grad());
  for (const auto& [name, parameter] : nn::parameters(*model)) keep(parameter->grad());
  return all;
}

/// Batch norm of x by its own statistics, and relu.
op::BatchNormInput normalised(const Var& x) {
  const Index C = x.shape()[-1];
  return {x,
          Var(Tensor({C}, Real(0.7))),
          Var(Tensor({C}, Real(0.2))),
          {Tensor({C}, Real(0)), Tensor({C}, Real(1))},
          {Real(1e-5), Real(0.1), true, true}};
}

bool all_finite_numbers(const Tensor& t) {
  return std::all_of(t.data(), t.data() + t.size(), [](float v) { return std::isfinite(v); });
}

/// One step of training: every gradient is a number, and what is learned gets some.
void check_step(nn::Module& model) {
  const TrainingStep step({7, 1, 3});
  Tape tape;
  const Var y = model(Var(images()));
  tape.backward(op::sum(op::mul(y, y)));
  for (const auto& [path, parameter] : nn::parameters(model)) {
    const std::string name = path;  // clang 14 captures no structured binding
    CAPTURE(name);
    CHECK(all_finite_numbers(parameter->grad()));
    if (name.find("weight_q") == name.npos && name.find("output_q") == name.npos)
      CHECK(static_cast<bool>(parameter->grad()));
  }
  for (const Quantizer* q : searched(model)) {
    const Var parameter = q->bits().parameter();
    if (!parameter) continue;
    CAPTURE(q->info().name);
    REQUIRE(static_cast<bool>(parameter.grad()));
    const auto gradient = parameter.grad().span();
    CHECK(std::any_of(gradient.begin(), gradient.end(), [](float g) { return g != 0; }));
    for (float& v : Var(parameter).value().span()) v -= 0.05f;
  }
}

void freeze(nn::Module& model) {
  for (Quantizer* q : searched(model)) {
    std::vector<quant::Width> widths;
    for (Index row = 0; row < q->width_count(); ++row) widths.push_back(q->hard_width(row));
    q->freeze(widths);
  }
}

}  // namespace

TEST_CASE("combinations: what the quantizer's pass takes in is what stands around it, to the bit") {
  for (const Combination& c : all_combinations()) {
    if (c.per_channel) continue;  // of weights; here it is activations
    CAPTURE(c.bits);
    CAPTURE(c.range);
    CAPTURE(c.affine);
    const auto apart =
        behind_relu(c, [](const auto& slot, const Var& x) { return slot(op::relu(x)); });
    CHECK(behind_relu(c, [](const auto& slot, const Var& x) { return slot.of_rectified(x); }) ==
          apart);
    if (c.range == "learned")  // others do not pool
      CHECK(behind_relu(c, [](const auto& slot, const Var& x) {
              return slot.pooled_of_rectified(x, {}).y;
            }) == apart);
    CHECK(behind_relu(c, [](const auto& slot, const Var& x) {
            return slot.of_normalised(normalised(x));
          }) == behind_relu(c, [](const auto& slot, const Var& x) {
            return slot(op::batch_norm(normalised(x)));
          }));
  }
}

TEST_CASE("combinations: all train a step, evaluate at whole widths, and freeze as they were") {
  for (const Combination& one : all_combinations()) {
    CAPTURE(one.bits);
    CAPTURE(one.range);
    CAPTURE(one.per_channel);
    CAPTURE(one.channel_bits);
    CAPTURE(one.affine);
    const auto model = quantized(one.spec(one.bits, one.bits == "fixed" ? 4 : 4.3));
    check_step(*model);
    for (Quantizer* q : searched(*model)) {
      q->bits().project();
      const quant::BitPolicy::Choice choice = q->bits().choose();
      REQUIRE_FALSE(static_cast<bool>(choice.level));
      const Tensor& p = choice.p.value();
      for (Index i = 0; i < p.size(); ++i)
        CHECK(p[i] == (i % p.dim(-1) == q->bits().hard(i / p.dim(-1)) ? 1 : 0));
      CHECK(q->bits().decided() == (one.bits == "fixed"));
    }
    const std::vector<float> before = outputs(*model);
    freeze(*model);
    CHECK(outputs(*model) == before);
    for (const Quantizer* q : searched(*model)) CHECK(q->bits().decided());
  }
}

TEST_CASE("combinations: frozen at their start, all are the fixed width") {
  for (const Combination& one : all_combinations()) {
    if (one.bits == "fixed") continue;
    CAPTURE(one.bits);
    CAPTURE(one.range);
    CAPTURE(one.per_channel);
    CAPTURE(one.channel_bits);
    CAPTURE(one.affine);
    const auto model = quantized(one.spec(one.bits, 4));
    for (Quantizer* q : searched(*model)) {
      q->bits().limit(4);
      q->freeze(4);
    }
    const std::vector<float> got = outputs(*model);
    const std::vector<float> expected = outputs(*quantized(one.spec("fixed", 4)));
    if (one.bits != "level-step") {
      CHECK(got == expected);
      continue;
    }
    // Its range went through a logarithm: the last bit of a scale may differ.
    for (std::size_t i = 0; i < got.size(); ++i)
      CHECK(got[i] == doctest::Approx(expected[i]).epsilon(1e-3));
  }
}

TEST_CASE("combinations: in training, a whole width is the fixed one, to the bit") {
  const auto training_outputs = [](nn::Module& model) {
    const TrainingStep step({7, 1, 3});
    return outputs(model);
  };
  for (const Combination& one : all_combinations()) {
    const bool direct = one.bits == "stochastic" || one.bits == "interpolated" ||
                        one.bits == "level" || one.bits == "schedule";
    if (!direct) continue;
    for (const double b : {2.0, 5.0, 8.0}) {
      CAPTURE(one.bits);
      CAPTURE(one.range);
      CAPTURE(one.per_channel);
      CAPTURE(one.channel_bits);
      CAPTURE(one.affine);
      CAPTURE(b);
      const auto model = quantized(one.spec(one.bits, b));
      if (one.bits == "schedule")
        for (Quantizer* q : searched(*model)) q->bits().limit(b);
      CHECK(training_outputs(*model) == training_outputs(*quantized(one.spec("fixed", b))));
    }
  }
}

TEST_CASE("combinations: between two widths a schedule is the level of that width") {
  for (const std::string& range : ranges) {
    const Combination one{"schedule", range, false, true};
    const auto schedule = quantized(one.spec("schedule", 4)),
               level = quantized(one.spec("level", 5.5));
    for (Quantizer* q : searched(*schedule)) q->bits().limit(5.5);
    const TrainingStep step({7, 1, 3});
    CHECK(outputs(*schedule) == outputs(*level));
    for (Quantizer* q : searched(*schedule)) CHECK(q->bits().bits() == 5.5);
  }
}

TEST_CASE("combinations: step and range are the level of their width, and both are learned") {
  const Combination one{"level-step", "mse", false, false};
  const auto model = quantized(one.spec("level-step", 5.25));
  for (Quantizer* q : searched(*model)) {
    CHECK(q->bits().bits() == doctest::Approx(5.25).epsilon(1e-5));
    CHECK(q->bits().bits_on_tape().value().item() == doctest::Approx(5.25).epsilon(1e-5));
    const auto now = double(q->bits().parameter().value()[0]);
    const double up = now + 1e-6, down = now - 1e-6;
    CHECK(q->bits().slope({&now, 1}, 0) ==
          doctest::Approx((q->bits().bits_of({&up, 1}) - q->bits().bits_of({&down, 1})) / 2e-6)
              .epsilon(1e-5));
    // d = xmax / n(b): the step that the parameter says is the step that is used.
    const quant::Ranges table = q->range().ranges({});
    const Var step =
        op::level_scale(q->bits().bits_on_tape(), table.scale, q->info().coding, q->info().widths);
    CHECK(std::log(double(step.value()[0])) == doctest::Approx(now).epsilon(1e-4));
  }
  check_step(*model);
  for (Quantizer* q : searched(*model)) CHECK(q->range().parameters()[0].grad()[0] != 0);
}

TEST_CASE("combinations: what cannot be is refused") {
  const Combination one{"", "mse", false, false};
  for (const std::string& bits : quant::bit_policies()) {
    if (bits == "fixed") continue;
    CAPTURE(bits);
    quant::Spec spec = one.spec(bits, 4);
    spec.weight.lowest = spec.weight.highest = 4;
    CHECK_THROWS_WITH_AS(quantized(spec),
                         "[quant] a learned width needs a choice: got one candidate, 4 bits; "
                         "expected at least 2",
                         Error);
    if (bits == "schedule") continue;  // it starts at the top
    spec = one.spec(bits, 7);
    spec.activation.highest = 5;
    CHECK_THROWS_WITH_AS(quantized(spec),
                         "[quant] starting width out of range: got 7; expected 2 to 5", Error);
  }
  CHECK_THROWS_WITH_AS(
      quantized(one.spec("levels", 4)),
      "[attach] no such bit policy: got levels; expected fixed, logits-argmax, "
      "logits-gumbel, logits-gumbel-soft, logits-mixture, bell-argmax, bell-gumbel, "
      "bell-gumbel-soft, bell-mixture, stochastic, interpolated, level, level-step or schedule",
      Error);
}

TEST_CASE("combinations: step and range put on an end keep their gradient, whatever the rounding") {
  for (const Coding coding : {Coding::symmetric, Coding::twos, Coding::natural})
    for (const double cap : {7.0, 5.5, 4.25}) {
      Index dead = 0;
      for (int i = 0; i < 100; ++i) {
        const quant::RangeOptions options{.coding = coding, .widths = quant::Widths::range(2, 8)};
        quant::Policies both = quant::step_and_range(options, 8, quant::minmax_range(options));
        const Real end = Real(0.01 * std::exp(0.07 * i));
        both.range->observe(
            Tensor({2}, std::array<Real, 2>{coding == Coding::natural ? Real(0) : -end, end}));
        both.range->finish();
        both.bits->limit(cap);
        Tape tape;
        const Var b = both.bits->bits_on_tape();
        CHECK(double(b.value()[0]) <= cap);
        tape.backward(op::sum(b));
        dead += both.bits->parameter().grad()[0] == 0;
      }
      CAPTURE(cap);
      CHECK(dead == 0);
    }
}

}  // namespace fraqat::combinations_test
