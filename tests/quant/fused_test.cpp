// A quantizer that takes its part of batch norm, relu or pool into its own op: the same
// network as one in which every op stands by itself.

#include <doctest/doctest.h>

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "core/watch.hpp"
#include "models/models.hpp"
#include "quant/attach.hpp"

namespace fraqat::fused_test {

namespace {

/// What ops a step runs, and how often.
class Count final : public Watch {
 public:
  bool wants_each_op() const override { return false; }
  void forward_ended(std::string_view op, std::string_view, const Tensor&) override {
    ++calls[std::string(op)];
  }
  void backward_ended(const Node&) override {}

  std::map<std::string, int> calls;
};

struct Step {
  std::map<std::string, int> calls;
  std::vector<Real> numbers;  // the loss, all gradients and all running statistics
};

/// One step of training; `apart`: quantizers look at the numbers, so that no op hides them.
Step step_of(const std::string& name, const Shape& images, const quant::Spec& spec, bool apart) {
  const auto model = models::make(name, {images[1], images[2], images[3]}, 10, 1);
  Tensor x(images);
  fill_uniform(x, 0, 1, Philox(1, Stream::synthetic));
  quant::quantize(*model, x, spec);
  if (apart)
    for (quant::Quantizer* q : quant::quantizers(*model)) q->look();
  Tensor labels({images[0]});
  for (Index i = 0; i < labels.size(); ++i) labels[i] = Real(i % 10);
  const TrainingStep step({1, 0, 0});
  Count count;
  Tape tape;
  const Var loss = op::softmax_cross_entropy((*model)(Var(x)), labels);
  tape.backward(loss);
  Step result{count.calls, {loss.value()[0]}};
  const auto add = [&](const Tensor& t) {
    result.numbers.insert(result.numbers.end(), t.span().begin(), t.span().end());
  };
  for (const auto& [path, parameter] : nn::parameters(*model)) add(parameter->grad());
  for (const auto& [path, buffer] : nn::buffers(*model)) add(*buffer);
  return result;
}

}  // namespace

TEST_CASE("fused: quantizers in the op before them change no bit of a step") {
  for (const std::string model : {"tiny-resnet", "lenet5-bn", "lenet5"})
    for (const std::string bits : {"fixed", "stochastic", "logits-mixture", "level"}) {
      const bool residual = model == "tiny-resnet";
      quant::Spec spec;
      spec.weight.bits = spec.activation.bits = bits;
      spec.weight.start = spec.activation.start = 3;
      spec.activation.affine = true;
      if (residual) spec.sum_bits = 8;
      INFO(model, ", ", bits);
      const Shape images = residual ? Shape{16, 16, 16, 3} : Shape{9, 28, 28, 1};
      const Step one = step_of(model, images, spec, false);
      const Step apart = step_of(model, images, spec, true);
      const bool fuses = residual || bits != "level";  // the sums have fixed widths
      CHECK(apart.calls.count("batch_norm_fake_quant") == 0);
      CHECK((one.calls.count("batch_norm_fake_quant") > 0) == (fuses && model != "lenet5"));
      CHECK((one.calls != apart.calls) == fuses);
      CHECK(one.numbers == apart.numbers);
    }
}

TEST_CASE("fused: the search for the first NaN finds batch norm, which a code would hide") {
  const auto model = models::make("tiny-resnet", {16, 16, 3}, 10, 1);
  Tensor x({16, 16, 16, 3});
  fill_uniform(x, 0, 1, Philox(1, Stream::synthetic));
  quant::quantize(*model, x, {});
  for (const auto& [path, parameter] : nn::parameters(*model))
    if (path == "bn1.weight") parameter->value()[0] = std::numeric_limits<Real>::quiet_NaN();
  const TrainingStep step({1, 0, 0});
  FirstBad first;
  (*model)(Var(x));
  CHECK(first.text().rfind("the output of batch_norm in layer bn1, ", 0) == 0);
}

}  // namespace fraqat::fused_test
