#include "nn/containers.hpp"

namespace fraqat::inline FRAQAT_PRECISION::nn {

Var Sequential::forward(const Var& x) {
  Var y = x;
  for (auto& [name, module] : children_) y = (*module)(y);
  return y;
}

void Sequential::visit(Visitor& visitor) {
  for (auto& [name, module] : children_) visitor.child(name, *module);
}

Var Residual::forward(const Var& x) {
  const Var shortcut = shortcut_ ? (*shortcut_)(x) : x;
  return output_q(op::relu(add_((*body_)(x), shortcut)));
}

void Residual::visit(Visitor& visitor) {
  visitor.child("body", *body_);
  if (shortcut_) visitor.child("shortcut", *shortcut_);
  visitor.child("add", add_);
  visitor.slot("output_q", output_q);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
