#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "optim/optimizer.hpp"

/// What the tests of optimizers are made of.
namespace fraqat::test {

using Make = std::function<std::unique_ptr<optim::Optimizer>(std::vector<optim::ParameterGroup>)>;

template <class O, class Options>
Make make(const Options& options) {
  return [options](std::vector<optim::ParameterGroup> groups) {
    return std::make_unique<O>(std::move(groups), options);
  };
}

/// One of every kind with all the state it can have.
inline const std::vector<Make> all_kinds = {
    make<optim::Sgd>(optim::SgdOptions{0.9, true}),
    make<optim::Adam>(optim::AdamOptions{}),
    make<optim::AdamW>(optim::AdamOptions{}),
    make<optim::RmsProp>(optim::RmsPropOptions{.momentum = 0.9, .centered = true}),
    make<optim::Adagrad>(optim::AdagradOptions{.rate_decay = 0.1, .initial_sum = 0.1}),
    make<optim::Lion>(optim::LionOptions{})};

inline Var parameter(std::initializer_list<float> values, std::string name = "w") {
  Var w(Tensor({static_cast<Index>(values.size())}, std::span(values.begin(), values.size())),
        true);
  w.set_name(std::move(name));
  return w;
}

/// Three gradients that change with the step and with the weights.
inline Tensor gradient(const Var& w, int t) {
  constexpr float slope[] = {3.0f, -1.0f, 0.25f}, curve[] = {1.0f, 0.5f, 2.0f};
  Tensor g({3});
  for (Index i = 0; i < 3; ++i)
    g[i] = slope[i] * static_cast<float>(t % 4 - 1) + w.value()[i] * curve[i];
  return g;
}

}  // namespace fraqat::test
