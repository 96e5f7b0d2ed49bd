#include "nn/containers.hpp"

#include "nn/layers.hpp"

namespace fraqat::inline FRAQAT_PRECISION::nn {
namespace {

bool may_fuse() {
  const Tape* tape = Tape::current();
  return !tape || tape->records() != Tape::Records::graph;
}

/// `module` as an M whose result no quantizer sees, or null.
template <class M>
M* plain(Module& module) {
  M* found = dynamic_cast<M*>(&module);
  return found && !found->output_q ? found : nullptr;
}

/// second(first(x)) where one op does both, else none.
Var fused(Module& first, Module& second, const Var& x) {
  auto* relu = dynamic_cast<Relu*>(&second);
  auto* norm = relu ? plain<BatchNorm2d>(first) : nullptr;
  if (norm) {
    const Var y = norm->rectified(x);
    LayerScope scope(relu->path());
    return relu->output_q(y);
  }
  auto* pool = plain<Relu>(first) ? dynamic_cast<MaxPool2d*>(&second) : nullptr;
  return pool ? pool->of_rectified(x) : Var();
}

}  // namespace

Var Sequential::first(std::size_t count, const Var& x) {
  Var y = x;
  for (std::size_t i = 0; i < count; ++i) {
    Module& module = *children_[i].second;
    Var both;
    if (i + 1 < count && may_fuse()) both = fused(module, *children_[i + 1].second, y);
    i += both ? 1 : 0;
    y = both ? both : module(y);
  }
  return y;
}

Var Sequential::forward(const Var& x) { return first(children_.size(), x); }

Var Sequential::rectified(const Var& x, const Var& addend) {
  LayerScope scope(path_);
  auto* norm =
      children_.empty() ? nullptr : dynamic_cast<BatchNorm2d*>(children_.back().second.get());
  if (norm) return norm->rectified(first(children_.size() - 1, x), addend);
  return op::relu(op::add(forward(x), addend));
}

void Sequential::visit(Visitor& visitor) {
  for (auto& [name, module] : children_) visitor.child(name, *module);
}

Var Residual::forward(const Var& x) {
  const Var shortcut = shortcut_ ? (*shortcut_)(x) : x;
  auto* body = dynamic_cast<Sequential*>(body_.get());
  if (body && !add_.output_q && may_fuse()) return output_q(body->rectified(x, shortcut));
  return output_q(op::relu(add_((*body_)(x), shortcut)));
}

void Residual::visit(Visitor& visitor) {
  visitor.child("body", *body_);
  if (shortcut_) visitor.child("shortcut", *shortcut_);
  visitor.child("add", add_);
  visitor.slot("output_q", output_q);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
