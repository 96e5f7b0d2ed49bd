#include "quant/attach.hpp"

#include <doctest/doctest.h>

#include "models/models.hpp"
#include "nn/containers.hpp"
#include "nn/layers.hpp"

namespace fraqat::attach_test {

using quant::Coding;
using quant::Quantizer;
using quant::Role;

namespace {

Tensor image() {
  Tensor x({1, 28, 28, 1});
  fill_uniform(x, 0, 1, Philox(1, Stream::synthetic));
  return x;
}

std::vector<std::string> names(nn::Module& model, Role role) {
  std::vector<std::string> found;
  for (Quantizer* q : quant::quantizers(model))
    if (q->info().role == role) found.push_back(q->info().name);
  return found;
}

/// "layer1.0" to "layer3.2": block 0 to 8 of a resnet20.
std::string path_of(int block) {
  return "layer" + std::to_string(block / 3 + 1) + '.' + std::to_string(block % 3);
}

}  // namespace

TEST_CASE("attach: lenet5-bn has one quantizer for each tensor, at the end of its group") {
  const auto model = models::make("lenet5-bn", {28, 28, 1}, 10, 1);
  quant::attach(*model, image(), {});
  CHECK(names(*model, Role::input) == std::vector<std::string>{"conv1.input_q"});
  CHECK(names(*model, Role::weight) == std::vector<std::string>{"conv1.weight_q", "conv2.weight_q",
                                                                "fc1.weight_q", "fc2.weight_q",
                                                                "fc3.weight_q"});
  CHECK(names(*model, Role::activation) ==
        std::vector<std::string>{"relu1.output_q", "relu2.output_q", "relu3.output_q",
                                 "relu4.output_q"});
  Index weights = 0, activations = 0;
  for (const Quantizer* q : quant::quantizers(*model)) {
    if (q->info().role == Role::weight) weights += q->info().elements;
    if (q->info().role == Role::activation) activations += q->info().elements;
    if (q->info().role == Role::activation) CHECK(q->info().coding == Coding::natural);
  }
  CHECK(weights == 150 + 2400 + 48000 + 10080 + 840);
  CHECK(activations == 4704 + 1600 + 120 + 84);
}

TEST_CASE("attach: learned widths have the candidates that are given, and start among them") {
  const auto model = models::make("lenet5-bn", {28, 28, 1}, 10, 1);
  quant::Spec spec;
  spec.weight.bits = spec.activation.bits = "stochastic";
  spec.weight.candidates = {4, 8};
  spec.weight.start = 3;
  spec.activation.start = 3;
  quant::attach(*model, image(), spec);
  for (const Quantizer* q : quant::quantizers(*model)) {
    if (q->info().role == Role::input) continue;
    const bool weight = q->info().role == Role::weight;
    CHECK(q->info().widths.count() == (weight ? 2 : 7));
    CHECK(q->bits().bits() == (weight ? 4 : 3));
  }
}

TEST_CASE("attach: tiny-resnet: both operands of an add, the add, the pool") {
  const auto model = models::make("tiny-resnet", {28, 28, 1}, 10, 1);
  quant::attach(*model, image(), {});
  CHECK(names(*model, Role::activation) ==
        std::vector<std::string>{"relu1.output_q", "block1.body.relu1.output_q",
                                 "block1.body.bn2.output_q", "block1.output_q",
                                 "block2.body.relu1.output_q", "block2.body.bn2.output_q",
                                 "block2.output_q", "block3.body.relu1.output_q",
                                 "block3.body.bn2.output_q", "block3.output_q", "pool.output_q"});
  for (const Quantizer* q : quant::quantizers(*model))
    if (q->info().name == "block1.body.bn2.output_q") CHECK(q->info().coding == Coding::twos);
}

TEST_CASE("attach: resnet20: every add has its slot, and so have its operands") {
  for (const bool projected : {false, true}) {
    const auto model = models::make(projected ? "resnet20-b" : "resnet20", {8, 8, 3}, 10, 1);
    Tensor x({1, 8, 8, 3});
    fill_uniform(x, 0, 1, Philox(1, Stream::synthetic));
    quant::attach(*model, x, {});
    std::vector<std::string> expected = {"relu1.output_q"};
    for (int block = 0; block < 9; ++block) {
      const std::string path = path_of(block);
      expected.push_back(path + ".body.relu1.output_q");
      expected.push_back(path + ".body.bn2.output_q");
      if (projected && (block == 3 || block == 6))
        expected.push_back(path + ".shortcut.1.output_q");
      expected.push_back(path + ".output_q");
    }
    expected.push_back("pool.output_q");
    CHECK(names(*model, Role::activation) == expected);
    CHECK(names(*model, Role::weight).size() == (projected ? 22 : 20));
    for (const Quantizer* q : quant::quantizers(*model))
      if (q->info().role == Role::activation) {
        const std::string& name = q->info().name;
        const bool operand =
            name.find(".bn2.") != name.npos || name.find(".shortcut.") != name.npos;
        CHECK((q->info().coding == Coding::twos) == operand);
      }
  }
}

TEST_CASE("attach: sums of a width of their own, and narrow copies for products") {
  const auto model = models::make("resnet20-b", {8, 8, 3}, 10, 1);
  Tensor x({1, 8, 8, 3});
  fill_uniform(x, 0, 1, Philox(1, Stream::synthetic));
  quant::Spec spec;
  spec.weight.start = spec.activation.start = 2;
  spec.sum_bits = 7;
  spec.activation_bits = {{"layer2.1", 5}};  // a name counts for more
  quant::attach(*model, x, spec);
  std::vector<std::string> sums = {"relu1.output_q"}, others;
  for (int block = 0; block < 9; ++block) {
    const std::string path = path_of(block);
    others.push_back(path + ".body.conv1.input_q");
    others.push_back(path + ".body.relu1.output_q");
    sums.push_back(path + ".body.bn2.output_q");
    if (block == 3 || block == 6) {
      others.push_back(path + ".shortcut.0.input_q");
      sums.push_back(path + ".shortcut.1.output_q");
    }
    sums.push_back(path + ".output_q");
  }
  others.push_back("pool.output_q");
  CHECK(names(*model, Role::sum) == sums);
  CHECK(names(*model, Role::activation) == others);
  for (const Quantizer* q : quant::quantizers(*model)) {
    const auto& [name, role] = std::pair{q->info().name, q->info().role};
    if (role == Role::sum) CHECK(q->hard_bits() == (name == "layer2.1.output_q" ? 5 : 7));
    if (role == Role::activation) CHECK(q->hard_bits() == 2);
    if (name.ends_with("conv1.input_q") && role == Role::activation)
      CHECK(q->info().coding == Coding::natural);
  }
  CHECK(quant::average_bits(quant::quantizers(*model), Role::activation, true) == 2);
  const auto lenet = models::make("lenet5-bn", {28, 28, 1}, 10, 1);
  CHECK_THROWS_WITH_AS(quant::attach(*lenet, image(), spec),
                       doctest::Contains("layer that does not exist"), Error);
  spec.activation_bits.clear();
  CHECK_THROWS_WITH_AS(quant::attach(*models::make("lenet5-bn", {28, 28, 1}, 10, 1), image(), spec),
                       "[attach] a width is given for sums, but the network has none: got "
                       "sum_bits = 7; expected 0",
                       Error);
}

TEST_CASE("attach: weights with all codes of their width") {
  const auto model = models::make("lenet5-bn", {28, 28, 1}, 10, 1);
  quant::Spec spec;
  spec.weight.start = 2;
  spec.weight.narrow_range = false;
  spec.weight_bits = {{"fc3", 8}};
  quant::quantize(*model, image(), spec);
  for (const Quantizer* q : quant::quantizers(*model))
    if (q->info().role == Role::weight) CHECK(q->info().coding == Coding::twos);
  spec.weight_bits = {{"fc3", 1}};
  CHECK_THROWS_WITH_AS(
      quant::attach(*models::make("lenet5-bn", {28, 28, 1}, 10, 1), image(), spec),
      doctest::Contains("layer \"fc3\" got a width below 2 with narrow_range = false"), Error);
  spec.weight_bits.clear();
  spec.weight.per_channel = spec.weight.bits_per_channel = true;
  CHECK_THROWS_WITH_AS(quant::attach(*models::make("lenet5-bn", {28, 28, 1}, 10, 1), image(), spec),
                       doctest::Contains("bits_per_channel = true with narrow_range = false"),
                       Error);
}

TEST_CASE("attach: a quantizer that is off or watching changes nothing") {
  const auto model = models::make("lenet5", {28, 28, 1}, 10, 1);
  const Tensor before = (*model)(Var(image())).value();
  quant::attach(*model, image(), {});
  for (const Quantizer::Mode mode : {Quantizer::Mode::off, Quantizer::Mode::observe}) {
    quant::set_mode(*model, mode);
    const Tensor after = (*model)(Var(image())).value();
    for (Index i = 0; i < 10; ++i) CHECK(after[i] == before[i]);
  }
  quant::calibrated(*model);
  const Tensor quantized = (*model)(Var(image())).value();
  bool differs = false;
  for (Index i = 0; i < 10; ++i) {
    differs |= quantized[i] != before[i];
    CHECK(quantized[i] == doctest::Approx(before[i]).epsilon(0.2));
  }
  CHECK(differs);
  quant::detach(*model);
  CHECK(quant::quantizers(*model).empty());
}

TEST_CASE("quantize: attached, calibrated on the images, and on") {
  const auto one = models::make("lenet5", {28, 28, 1}, 10, 1);
  const auto other = models::make("lenet5", {28, 28, 1}, 10, 1);
  quant::Spec spec;
  spec.weight.start = spec.activation.start = 4;
  quant::quantize(*one, image(), spec);
  quant::attach(*other, image(), spec);
  quant::set_mode(*other, quant::Quantizer::Mode::observe);
  (*other)(Var(image()));
  quant::calibrated(*other);
  const Tensor a = (*one)(Var(image())).value(), b = (*other)(Var(image())).value();
  for (Index i = 0; i < 10; ++i) CHECK(a[i] == b[i]);
  for (const quant::Quantizer* q : quant::quantizers(*one))
    CHECK(q->mode() == quant::Quantizer::Mode::on);
}

TEST_CASE("attach: layers by name, random starts") {
  const auto model = models::make("lenet5", {28, 28, 1}, 10, 1);
  quant::Spec spec;
  spec.weight.bits = "stochastic";
  spec.weight.random_start = true;
  spec.weight_bits = {{"conv1", 8}, {"fc3", 6}};
  spec.activation.bits = "stochastic";
  spec.activation_bits = {{"relu1", 7}, {"relu4", 3}};
  quant::attach(*model, image(), spec);
  std::vector<double> widths;
  std::map<std::string, const Quantizer*> activations;
  for (const Quantizer* q : quant::quantizers(*model)) {
    if (q->info().role == Role::weight) widths.push_back(q->bits().bits());
    if (q->info().role == Role::activation) activations[q->info().name] = q;
  }
  REQUIRE(activations.size() == 4);
  for (const auto& [name, bits] : spec.activation_bits) {
    const Quantizer* q = activations.at(name + ".output_q");
    CHECK(q->bits().bits() == bits);
    CHECK(q->bits().name() == "fixed");
  }
  CHECK(activations.at("relu2.output_q")->bits().name() == "stochastic");
  CHECK(widths[0] == 8);
  CHECK(widths[4] == 6);
  CHECK(widths[1] != widths[2]);
  for (const double b : widths) CHECK((b >= 2 && b <= 8));
}

TEST_CASE("attach: errors name the layers") {
  const auto model = models::make("lenet5", {28, 28, 1}, 10, 1);
  quant::Spec spec;
  spec.weight_bits = {{"conv9", 8}};
  CHECK_THROWS_WITH_AS(quant::attach(*model, image(), spec),
                       doctest::Contains("got conv9; expected one of conv1, conv2, fc1, fc2, fc3"),
                       Error);
  quant::detach(*model);
  spec.weight_bits = {{"conv1", 8}, {"fc3", 4}, {"conv1", 6}};
  CHECK_THROWS_WITH_AS(quant::attach(*model, image(), spec),
                       "[attach] layer conv1 is given a width twice: got 8 and 6; expected one",
                       Error);
  quant::detach(*model);
  spec.weight_bits = {};
  spec.activation_bits = {{"conv1", 8}};
  CHECK_THROWS_WITH_AS(
      quant::attach(*model, image(), spec),
      doctest::Contains("no quantized output: got conv1; expected one of relu1, relu2, relu3"),
      Error);
  quant::detach(*model);
  spec.activation_bits = {{"relu1", 8}, {"relu1", 8}};
  CHECK_THROWS_WITH_AS(quant::attach(*model, image(), spec),
                       doctest::Contains("layer relu1 is given a width twice"), Error);
  quant::detach(*model);
  quant::attach(*model, image(), {});
  CHECK_THROWS_WITH_AS(quant::attach(*model, image(), {}),
                       "[attach] slot conv1.input_q is filled already; try detach first", Error);

  nn::Initializer init(1);
  class Scale final : public nn::Module {  // multiplies, and has no slot
   public:
    Var forward(const Var& x) override { return op::mul(x, Var(Tensor::scalar(2))); }
    void visit(nn::Visitor&) override {}
    std::string_view kind() const override { return "Scale"; }
  };
  nn::Sequential net;
  net.add(std::make_unique<nn::Linear>(4, 4, init), "fc1");
  net.add(std::make_unique<Scale>(), "scale");
  net.add(std::make_unique<nn::Linear>(4, 2, init), "fc2");
  CHECK_THROWS_WITH_AS(quant::attach(net, Tensor({1, 4}, Real(1)), {}),
                       doctest::Contains("[attach] the result of mul in layer \"scale\" has to be "
                                         "quantized: got no slot scale.output_q"),
                       Error);
}

TEST_CASE("attach: an image that two layers read is refused, also behind a reshape") {
  class Fork final : public nn::Module {
   public:
    Fork(nn::Initializer& init, bool flat) : left_(4, 2, init), right_(4, 2, init), flat_(flat) {}
    Var forward(const Var& x) override {
      const Var image = flat_ ? op::flatten(x) : x;
      const Var left = left_(image);
      return add_(left, right_(image));
    }
    void visit(nn::Visitor& visitor) override {
      visitor.child("left", left_);
      visitor.child("right", right_);
      visitor.child("add", add_);
    }
    std::string_view kind() const override { return "Fork"; }

   private:
    nn::Linear left_, right_;
    nn::Add add_;
    bool flat_;
  };
  nn::Initializer init(1);
  for (const bool flat : {false, true}) {
    Fork fork(init, flat);
    CHECK_THROWS_WITH_AS(
        quant::attach(fork, flat ? Tensor({1, 2, 2, 1}, Real(1)) : Tensor({1, 4}, Real(1)), {}),
        doctest::Contains("the model's input is read twice: got linear in layer \"left\" and "
                          "linear in layer \"right\"; expected one"),
        Error);
  }
}

}  // namespace fraqat::attach_test
