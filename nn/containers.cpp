#include "nn/containers.hpp"

#include <span>

#include "nn/layers.hpp"

namespace fraqat::inline FRAQAT_PRECISION::nn {
namespace {

/// `module` as an M whose result no quantizer sees, or null.
template <class M>
M* plain(Module& module) {
  M* found = dynamic_cast<M*>(&module);
  return found && !found->output_q ? found : nullptr;
}

/// The result of the first few of some modules, and how many they are.
struct Prefix {
  Var y;
  std::size_t modules = 1;
};

/// Module i as an M, or null.
template <class M>
M* as(std::span<const Child> modules, std::size_t i) {
  return i < modules.size() ? dynamic_cast<M*>(modules[i].second.get()) : nullptr;
}

/// As many of the first modules as one op does, but for the first alone: that is for
/// the caller, whose y is none then.
Prefix fused(std::span<const Child> modules, const Var& x) {
  auto* convolution = as<Conv2d>(modules, 0);
  const std::size_t at = convolution ? 1 : 0;
  auto* norm = as<BatchNorm2d>(modules, at);
  auto* relu = norm && !norm->output_q ? as<Relu>(modules, at + 1) : nullptr;
  if (norm && convolution) {
    const Var y = convolution->normalised(x, *norm, relu != nullptr);
    if (!y) return {};
    if (!relu) return {y, 2};
    LayerScope scope(relu->path());
    return {relu->output_q(y), 3};
  }
  if (relu) {
    LayerScope scope(relu->path());
    return {relu->output_q.of_normalised(norm->input(x, true)), 2};
  }
  auto* pool = as<MaxPool2d>(modules, 1);
  auto* first = as<Relu>(modules, 0);
  if (!pool || !first) return {};
  LayerScope scope(first->output_q ? first->path() : pool->path());
  const nn::Transform::Pooled done = first->output_q.pooled_of_rectified(x, pool->options);
  return {done.y, done.pooled ? std::size_t{2} : 1};
}

}  // namespace

Var Sequential::first(std::size_t count, const Var& x) {
  Var y = x;
  for (std::span<const Child> rest(children_.data(), count); !rest.empty();) {
    const Prefix done = each_op_is_seen() ? Prefix{} : fused(rest, y);
    y = done.y ? done.y : (*rest[0].second)(y);
    rest = rest.subspan(done.modules);
  }
  return y;
}

Var Sequential::forward(const Var& x) { return first(children_.size(), x); }

bool Sequential::ends_in_norm() const {
  return !children_.empty() && plain<BatchNorm2d>(*children_.back().second);
}

Var Sequential::rectified(const Var& x, const Var& addend) {
  LayerScope scope(path_);
  const std::size_t before = children_.size() - 1;
  auto* norm = as<BatchNorm2d>(children_, before);
  auto* convolution = before > 0 ? as<Conv2d>(children_, before - 1) : nullptr;
  if (!convolution) return norm->rectified(first(before, x), addend);
  const Var in = first(before - 1, x);
  const Var y = convolution->normalised(in, *norm, true, addend);
  return y ? y : norm->rectified((*convolution)(in), addend);
}

void Sequential::visit(Visitor& visitor) {
  for (auto& [name, module] : children_) visitor.child(name, *module);
}

Var Residual::forward(const Var& x) {
  const Var shortcut = shortcut_ ? (*shortcut_)(x) : x;
  auto* body = dynamic_cast<Sequential*>(body_.get());
  if (body && body->ends_in_norm() && !add_.output_q && !each_op_is_seen())
    return output_q(body->rectified(x, shortcut));
  return output_q.of_rectified(add_((*body_)(x), shortcut));
}

void Residual::visit(Visitor& visitor) {
  visitor.child("body", *body_);
  if (shortcut_) visitor.child("shortcut", *shortcut_);
  visitor.child("add", add_);
  visitor.slot("output_q", output_q);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
