#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "models/run/checkpoint.hpp"
#include "models/run/late_changes.hpp"
#include "models/run/objective.hpp"
#include "nn/layers.hpp"
#include "tests/training/tiny_run.hpp"

namespace fraqat::aids_test {

// What helps a network of few bits: a teacher, damping, batch norm at rest; and what helps who
// looks for a number that is none: the error, the trace.

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

constexpr Index batch = 32;  // of tiny_recipe, which makes ten steps an epoch of it

/// A number of a parameter of small_net, to become none after so many steps.
struct Planted {
  std::string parameter;
  Index element = 0;
  Index after = 0;
};

class Planter final : public run::Observer {
 public:
  Planter(nn::Module& model, const Planted& planted) : planted_(planted) {
    for (const auto& [name, parameter] : nn::parameters(model))
      if (name == planted.parameter) weight_ = *parameter;
    step(0, 0);
  }
  void step(Index done, double) override {
    if (done != planted_.after) return;
    weight_.value().data()[planted_.element] = std::numeric_limits<Real>::quiet_NaN();
  }

 private:
  Planted planted_;
  Var weight_;
};

using Row = std::vector<std::string>;
enum Column { phase, epoch, step, layer, op, what, shape, numbers, bad };

/// The lines of trace.csv.
std::vector<Row> rows_of(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  CHECK(line == "phase,epoch,step,layer,op,what,shape,numbers,bad,low,high,mean");
  std::vector<Row> rows;
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    rows.emplace_back();
    for (std::string field; std::getline(fields, field, ',');) rows.back().push_back(field);
    REQUIRE(rows.back().size() == 12);
  }
  return rows;
}

/// The error that training small_net ends with, and its trace.
std::pair<std::string, std::vector<Row>> train_with(const Planted& planted, bool quantized) {
  run::Recipe recipe = test::tiny_recipe("lenet5");
  recipe.weight.bits = recipe.activation.bits = "fixed";
  recipe.finetune.epochs = 2;
  const auto model = test::small_net(1);
  if (quantized) test::quantize(*model, *test::TinySession(recipe), recipe);
  const test::TemporaryDirectory folder;
  run::Options options{folder.path(), {}, {}, {}};
  options.trace = true;
  Planter planter(*model, planted);
  const run::Session session(recipe, options, planter);
  std::string error = "none";
  try {
    run::train(session, *model, recipe, recipe.finetune, {"finetune"});
  } catch (const Error& caught) {
    error = caught.what();
  }
  return {error, rows_of(read_text_file(folder / "trace.csv", 1 << 20))};
}

/// The rows of one step in which something is no number, as "layer op what bad"; all others are of
/// first steps, with nothing wrong in them.
std::vector<std::string> bad_rows(const std::vector<Row>& rows, const std::string& at_epoch,
                                  const std::string& at_step) {
  std::vector<std::string> some;
  for (const Row& row : rows)
    if (row[epoch] != at_epoch || row[step] != at_step)
      CHECK((row[step] == "1" && row[bad] == "0"));
    else if (row[bad] != "0")
      some.push_back(row[layer] + ' ' + row[op] + ' ' + row[what] + ' ' + row[bad]);
  return some;
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

TEST_CASE("aids: a NaN is named by layer, op and step, and the trace has that step") {
  struct Case {
    Planted planted;
    std::string layer, op;
    Index bad;  // numbers of its output
    std::string epoch, step;
  };
  // The middle of a filter meets no padding: every place of its channel is hit.
  for (const auto& [planted, layer, op, bad, epoch, step] :
       {Case{{"conv.weight", 12, 3}, "conv", "conv2d", batch * 7 * 7, "1", "4"},
        Case{{"fc1.weight", 5, 0}, "fc1", "linear", batch, "1", "1"},
        Case{{"fc2.bias", 9, 12}, "fc2", "linear", batch, "2", "3"}}) {
    CAPTURE(layer);
    const auto [error, rows] = train_with(planted, false);
    CAPTURE(error);
    CHECK(error.find(" is no number: the output of " + op + " in layer " + layer + ", element ") !=
          error.npos);
    CHECK(error.ends_with("; this was in finetune, epoch " + epoch + ", step " + step));
    const std::vector<std::string> found = bad_rows(rows, epoch, step);
    REQUIRE(found.size() > 1);
    CHECK(found.front() == layer + ' ' + op + " output " + std::to_string(bad));
    CHECK(found.back() == layer + "  value of " + planted.parameter + " 1");
  }
}

TEST_CASE("aids: a NaN that a quantizer hides is named by its weight in the same step") {
  const auto [error, rows] = train_with({"fc1.weight", 5, 3}, true);
  CHECK(error ==
        "[train] fc1.weight is no number any more: got a NaN or an infinity; expected finite ones; "
        "try a smaller rate or "
        "clip; this was in finetune, epoch 1, step 4");
  CHECK(bad_rows(rows, "1", "4") == std::vector<std::string>{"fc1  value of fc1.weight 1"});
}

}  // namespace fraqat::aids_test
