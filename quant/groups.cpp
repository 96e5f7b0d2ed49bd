#include "quant/groups.hpp"

#include <algorithm>

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

bool activates(const Node& node) {
  return clamps(node) || any_of(node.op(), {"leaky_relu", "sigmoid", "tanh", "silu", "hardswish",
                                            "gelu", "softplus"});
}

bool normalises(const Node& node) {
  return any_of(node.op(), {"batch_norm", "layer_norm", "group_norm"});
}

}  // namespace

bool any_of(std::string_view op, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), op) != names.end();
}

bool multiplies_weight(const Node& node) {
  return any_of(node.op(), {"conv2d", "conv_transpose2d", "linear"});
}

bool moves_codes(const Node& node) {
  return any_of(node.op(), {"max_pool2d", "reshape", "pad_channels", "permute", "slice", "concat",
                            "gather", "max"});
}

bool clamps(const Node& node) { return any_of(node.op(), {"relu", "clip", "relu6"}); }

bool never_negative(const Node& node) {
  return any_of(node.op(), {"relu", "relu6", "sigmoid", "softmax", "softplus"}) ||
         (node.op() == "clip" && node.attributes().get<double>("low") >= 0);
}

bool keeps_sign(const Node& node) {
  return moves_codes(node) || clamps(node) ||
         any_of(node.op(), {"add", "mul", "avg_pool2d", "adaptive_avg_pool2d", "global_avg_pool"});
}

Groups::Groups(const Tape& tape) {
  for (const auto& node : tape.nodes()) {
    makers_[node->output().id()] = node.get();
    for (const Var& input : node->inputs())
      if (input) readers_[input.id()].push_back(node.get());
  }
}

const std::vector<const Node*>& Groups::readers(const Var& value) const {
  static const std::vector<const Node*> none;
  const auto found = readers_.find(value.id());
  return found == readers_.end() ? none : found->second;
}

const Node* Groups::maker(const Var& value) const {
  const auto found = makers_.find(value.id());
  return found == makers_.end() ? nullptr : found->second;
}

std::string Groups::origin(const Var& value) const {
  const Node* node = maker(value);
  if (!node) return "outside the model";
  return std::string(node->op()) + " in layer \"" + std::string(node->layer()) + '"';
}

// Everything else it reads is a constant: a factor, a mask.
bool Groups::reads_alone(const Node& next, const Var& value) const {
  for (const Var& input : next.inputs())
    if (input && input.id() != value.id() && (maker(input) || !input.name().empty())) return false;
  return true;
}

const Node* Groups::follower(const Node& node) const {
  const auto only_reader = [this](const Node& of) {
    const auto& all = readers(of.output());
    return all.size() == 1 ? all[0] : nullptr;
  };
  const Node* next = only_reader(node);
  if (!next) return nullptr;
  const bool same_layer = !node.layer().empty() && next->layer() == node.layer();
  if (same_layer && next->op() == "reshape") {
    // Linear turns its rows back into [N, T, ...] itself.
    if (readers(next->output()).empty()) return next;
    next = only_reader(*next);
    if (!next) return nullptr;
  } else if (same_layer && !moves_codes(*next) && reads_alone(*next, node.output())) {
    return next;
  }
  if (next->op() == "batch_norm") return multiplies_weight(node) ? next : nullptr;
  if (clamps(*next) && node.op() == "add") return next;
  return activates(*next) && (multiplies_weight(node) || normalises(node)) ? next : nullptr;
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
