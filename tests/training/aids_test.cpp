#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "models/run/checkpoint.hpp"
#include "models/run/late_changes.hpp"
#include "models/run/objective.hpp"
#include "nn/layers.hpp"
#include "tests/training/tiny_run.hpp"

namespace fraqat::aids_test {

// What helps a network of few bits: a teacher, damping, batch norm at rest.

namespace {

/// Row n of softmax(logits / T), by hand.
std::vector<double> softened(const Tensor& logits, Index n, double temperature) {
  std::vector<double> p;
  double sum = 0;
  for (Index k = 0; k < logits.dim(1); ++k)
    p.push_back(std::exp(double(logits[n * logits.dim(1) + k]) / temperature));
  for (const double v : p) sum += v;
  for (double& v : p) v /= sum;
  return p;
}

double loss_by_hand(const Tensor& student, const Tensor& teacher, const Tensor& labels,
                    double share, double T) {
  const Index count = student.dim(0);
  double loss = 0;
  for (Index n = 0; n < count; ++n) {
    const std::vector<double> z = softened(student, n, 1), soft = softened(student, n, T);
    const std::vector<double> t = softened(teacher, n, T);
    loss += (1 - share) * -std::log(z[std::size_t(labels[n])]);
    for (std::size_t k = 0; k < t.size(); ++k)
      loss += share * T * T * t[k] * std::log(t[k] / soft[k]);
  }
  return loss / double(count);
}

Tensor noise(const Shape& shape, std::uint32_t seed) {
  Tensor x(shape);
  fill_normal(x, Philox(seed, Stream::synthetic));
  return x;
}

/// The mean distance of weights inside their range from their codes, in steps.
double distance_from_codes(nn::Module& model) {
  double sum = 0, count = 0;
  const auto parameters = nn::parameters(model);
  for (quant::Quantizer* q : quant::quantizers(model)) {
    if (q->info().role != quant::Role::weight) continue;
    const std::string name =
        q->info().name.substr(0, q->info().name.size() - std::string("_q").size());
    const auto found = std::find_if(parameters.begin(), parameters.end(),
                                    [&](const auto& named) { return named.name == name; });
    REQUIRE(found != parameters.end());
    const Tensor w = found->item->value(), y = (*q)(Var(w)).value();
    const double step = double(q->range().ranges(w).scale.value()[0]);
    for (Index i = 0; i < w.size(); ++i) {
      const double apart = std::abs(double(w[i]) - double(y[i])) / step;
      if (apart > 0.5001) continue;
      sum += apart;
      ++count;
    }
  }
  REQUIRE(count > 0);
  return sum / count;
}

/// Trains small_net at 3 bits and tells how far its weights are from their codes.
double distance_after(double damping) {
  run::Recipe recipe = test::tiny_recipe("lenet5");
  recipe.weight.bits = recipe.activation.bits = "fixed";
  recipe.finetune.epochs = 6;
  recipe.finetune.damping = damping;
  const test::TinySession session(recipe);
  const auto model = test::small_net(1);
  test::quantize(*model, *session, recipe);
  run::train(*session, *model, recipe, recipe.finetune, {"finetune"});
  return distance_from_codes(*model);
}

}  // namespace

TEST_CASE("aids: with a teacher the loss is the mixture of two, as the formula says") {
  run::Recipe recipe = test::tiny_recipe("lenet5");
  const test::TinySession session(recipe);
  const auto teacher = run::make_model(recipe);
  run::save_checkpoint((*session).checkpoint("float"), *teacher, recipe, "float");
  const Tensor images = noise({6, 28, 28, 1}, 3), student = noise({6, 10}, 4);
  Tensor labels({6});
  for (Index n = 0; n < 6; ++n) labels[n] = Real(n * 3 % 10);
  const Tensor answer = (*teacher)(Var(images)).value();
  for (const double share : {0.0, 0.3, 1.0})
    for (const double temperature : {1.0, 4.0}) {
      CAPTURE(share);
      CAPTURE(temperature);
      recipe.search.distillation = share;
      recipe.search.distillation_temperature = temperature;
      const run::Objective objective(*session, recipe.search);
      const Tensor soft = objective.soft_targets(images);
      CHECK(bool(soft) == (share > 0));
      const double loss = double(objective.loss(Var(student), labels, soft).value().item());
      CHECK(
          loss ==
          doctest::Approx(loss_by_hand(student, answer, labels, share, temperature)).epsilon(1e-4));
    }
}

TEST_CASE("aids: the teacher is in evaluation, whatever the student is in") {
  run::Recipe recipe = test::tiny_recipe("lenet5-bn");
  const test::TinySession session(recipe);
  const auto teacher = run::make_model(recipe);
  run::save_checkpoint((*session).checkpoint("float"), *teacher, recipe, "float");
  recipe.finetune.distillation = 0.5;
  const auto student = run::make_model(recipe);
  run::train(*session, *student, recipe, recipe.finetune, {"finetune"});
  const auto before = nn::state_of(*teacher);
  const auto after = nn::state_of(*run::load_checkpoint((*session).checkpoint("float")).model);
  REQUIRE(before.size() == after.size());
  for (const auto& [name, tensor] : before) {
    const auto a = tensor.span(), b = after.at(name).span();
    CHECK(std::equal(a.begin(), a.end(), b.begin(), b.end()));
  }
}

TEST_CASE("aids: a teacher that agrees pulls nowhere, one that differs does") {
  run::Recipe recipe = test::tiny_recipe("lenet5");
  recipe.search.distillation = 1;
  const test::TinySession session(recipe);
  const auto teacher = run::make_model(recipe);
  run::save_checkpoint((*session).checkpoint("float"), *teacher, recipe, "float");
  const run::Objective objective(*session, recipe.search);
  const Tensor images = noise({4, 28, 28, 1}, 5);
  const Tensor soft = objective.soft_targets(images);
  const auto pull = [&](Tensor logits) {
    Var z(logits, true);
    Tape tape;
    tape.backward(objective.loss(z, Tensor({4}, Real(0)), soft));
    double most = 0;
    for (const Real g : z.grad().span()) most = std::max(most, std::abs(double(g)));
    return most;
  };
  CHECK(pull((*teacher)(Var(images)).value()) < 1e-6);
  CHECK(pull(noise({4, 10}, 6)) > 1e-3);
}

TEST_CASE("aids: damping draws weights to their codes") {
  const double without = distance_after(0), with = distance_after(3);
  CHECK(without > 0.15);  // 0.25 if they were spread evenly
  CHECK(with < 0.7 * without);
}

TEST_CASE("aids: batch norm rests for the last share of the steps, and no longer") {
  run::Training training;
  training.freeze_batch_norm = 0.3;
  nn::Sequential net;
  auto& norm = static_cast<nn::BatchNorm2d&>(net.add(std::make_unique<nn::BatchNorm2d>(2), "bn"));
  const Tensor x = noise({4, 3, 3, 2}, 7);
  const auto mean_after_a_step = [&] {
    norm.state.mean.fill(5);
    const TrainingStep step({1, 0, 0});
    net(Var(x));
    return norm.state.mean[0];
  };
  {
    run::LateChanges late(net, training);
    late.before_step(0.69);
    CHECK(mean_after_a_step() != 5);
    late.before_step(0.71);
    CHECK(mean_after_a_step() == 5);
  }
  CHECK(mean_after_a_step() != 5);
  training.freeze_batch_norm = 0;
  run::LateChanges late(net, training);
  late.before_step(0.999);
  CHECK(mean_after_a_step() != 5);
}

}  // namespace fraqat::aids_test
