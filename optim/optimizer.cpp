#include "optim/optimizer.hpp"

#include <cmath>
#include <set>

namespace fraqat::optim {
namespace {

bool finite_float(double x) { return std::isfinite(static_cast<float>(x)); }

void check_group(const ParameterGroup& group) {
  check(std::isfinite(group.rate_scale) && group.rate_scale >= 0, "[optimizer] group \"",
        group.name, "\" has a bad rate scale: got ", group.rate_scale,
        "; expected a finite number >= 0");
  check(finite_float(group.weight_decay) && group.weight_decay >= 0, "[optimizer] group \"",
        group.name, "\" has a bad weight decay: got ", group.weight_decay,
        "; expected a number >= 0 that is finite as a float");
}

}  // namespace

Optimizer::Optimizer(std::vector<ParameterGroup> groups) : groups_(std::move(groups)) {
  std::set<const void*> seen;
  for (const ParameterGroup& group : groups_) {
    check_group(group);
    for (const Var& parameter : group.parameters) {
      check(bool(parameter), "[optimizer] bad parameter in group \"", group.name,
            "\": got none; expected a tensor");
      check(seen.insert(parameter.id()).second, "[optimizer] parameter given twice: got \"",
            parameter.name(), "\" again in group \"", group.name,
            "\"; expected every parameter once");
      parameters_.push_back(parameter);
      shapes_.push_back(parameter.shape());
    }
  }
}

void Optimizer::check_epsilon(std::string_view who, double epsilon) {
  const auto rounded = static_cast<float>(epsilon);
  check(std::isfinite(rounded) && rounded > 0, "[", who, "] bad epsilon: got ", epsilon,
        "; expected a finite number > 0 as a float");
}

void Optimizer::step(double rate) {
  check(std::isfinite(rate) && rate >= 0, "[optimizer] bad learning rate: got ", rate,
        "; expected a finite number >= 0");
  std::size_t index = 0;
  for (const ParameterGroup& group : groups_) {
    const double group_rate = rate_of(group, rate);
    check(finite_float(group_rate), "[optimizer] bad learning rate of group \"", group.name,
          "\": got ", group_rate, "; expected a number that is finite as a float");
    for (std::size_t i = 0; i < group.parameters.size(); ++i, ++index) {
      Var& parameter = parameters_[index];
      if (!parameter.grad()) continue;
      check(parameter.shape() == shapes_[index], "[optimizer] \"", parameter.name(),
            "\" has changed its shape: got ", parameter.shape(), "; expected ", shapes_[index],
            ", which its state has");
      check(parameter.grad().shape() == parameter.shape(), "[optimizer] gradient of \"",
            parameter.name(), "\" has the wrong shape: got ", parameter.grad().shape(),
            "; expected ", parameter.shape());
      update(index, parameter, group_rate, group.weight_decay);
    }
  }
  ++steps_;
}

void Optimizer::clear_gradients() {
  for (const Var& parameter : parameters_) parameter.clear_grad();
}

double Optimizer::rate_of(const ParameterGroup& group, double rate) const {
  return group.rate_scale * (group.schedule ? group.schedule->rate(steps_) : rate);
}

void Optimizer::set_steps(Index steps) {
  check(steps >= 0, "[optimizer] negative number of steps: got ", steps, "; expected 0 or more");
  steps_ = steps;
}

std::string Optimizer::state_name(std::string_view what, std::size_t index) const {
  const std::string& name = parameters_[index].name();
  return std::string(what) + "." + (name.empty() ? std::to_string(index) : name);
}

}  // namespace fraqat::optim
