#include "quant/deploy/followed_module.hpp"

#include <cmath>

#include "core/elementwise.hpp"

namespace fraqat::deploy {
namespace {

/// Values with codes that no other value has: the image's, and those that a slot has made.
std::vector<std::size_t> coded_values(const Graph& graph) {
  std::vector<std::size_t> coded = {0};
  for (std::size_t i = 0; i < graph.ops.size(); ++i)
    if (!acts_on_codes(graph.ops[i]) && !graph.ops[i].output.accumulators()) coded.push_back(i + 1);
  return coded;
}

/// The numbers that codes stand for.
Tensor numbers_of(const Integers& codes, const Value& value, const Shape& shape) {
  Tensor numbers(shape);
  parallel_chunks(numbers.size(), elementwise_grain, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i)
      numbers[i] =
          value.scale * static_cast<float>(codes[static_cast<std::size_t>(i)] - value.zero);
  });
  return numbers;
}

struct Off {
  Index codes = 0, far = 0;

  Off& operator+=(const Off& more) {
    codes += more.codes;
    far += more.far;
    return *this;
  }
};

/// How many numbers of `own` have other codes than `expected`, and by more than one.
Off off(const Tensor& own, const Tensor& expected, float scale) {
  return parallel_sum<Off>(own.size(), elementwise_grain, [&](Index begin, Index end) {
    Off sum;
    for (Index i = begin; i < end; ++i) {
      if (own[i] == expected[i]) continue;
      const long steps = std::lround((own[i] - expected[i]) / scale);
      sum += {steps != 0, std::abs(steps) > 1};
    }
    return sum;
  });
}

}  // namespace

class FollowedModule::Follower final : public nn::Transform {
 public:
  Follower(std::shared_ptr<quant::Quantizer> quantizer, Place& place)
      : quantizer_(std::move(quantizer)), place_(place) {}

  Var operator()(const Var& x) override {
    const Var y = (*quantizer_)(x);
    if (quantizer_->info().role == quant::Role::weight) return y;
    if (place_.next == place_.coded.size()) return y;
    const std::size_t value = place_.coded[place_.next++];
    const Integers& codes = place_.evaluated->values[value];
    if (std::ssize(codes) != y.value().size()) return y;
    const Value& of = place_.graph.value(static_cast<int>(value));
    const Var followed(numbers_of(codes, of, y.shape()));
    const Off found = off(y.value(), followed.value(), of.scale);
    (*place_.layers)[value].off += found.codes;
    (*place_.layers)[value].far += found.far;
    return followed;
  }

 private:
  std::shared_ptr<quant::Quantizer> quantizer_;
  Place& place_;
};

FollowedModule::FollowedModule(nn::Module& model, const Graph& graph)
    : model_(model),
      place_{graph, coded_values(graph)},
      stand_ins_(model, [this](const std::shared_ptr<quant::Quantizer>& quantizer) {
        return std::make_shared<Follower>(quantizer, place_);
      }) {}

Tensor FollowedModule::operator()(const Tensor& images, const Outputs& evaluated,
                                  std::vector<LayerCount>& layers) {
  place_.next = 0;
  place_.evaluated = &evaluated;
  place_.layers = &layers;
  const Tensor logits = model_(Var(images)).value();
  return logits.reshape({images.dim(0), logits.size() / images.dim(0)});
}

}  // namespace fraqat::deploy
