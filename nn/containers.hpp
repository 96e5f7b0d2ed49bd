#pragma once

#include <string>
#include <utility>
#include <vector>

#include "nn/pairs.hpp"

namespace fraqat::inline FRAQAT_PRECISION::nn {

/// A module and its name.
using Child = std::pair<std::string, std::unique_ptr<Module>>;

/// One module after the other.  Unless a graph is recorded, which shows every op by
/// itself, neighbours with nothing in the slot between them run as one op where there
/// is one for both: batch norm and relu, relu and max pool (with a quantizer between them,
/// too), and without a tape a convolution and the batch norm behind it.  The bits are the same.
class Sequential final : public Module {
 public:
  /// Appends `module` under `name` (its position, if empty) and returns it.
  template <class M>
  M& add(std::unique_ptr<M> module, std::string name = {}) {
    M& reference = *module;
    if (name.empty()) name = std::to_string(children_.size());
    children_.emplace_back(std::move(name), std::move(module));
    return reference;
  }

  Var forward(const Var& x) override;
  void visit(Visitor& visitor) override;
  std::string_view kind() const override { return "Sequential"; }

  /// Whether the last module is a batch norm whose result no quantizer sees.
  bool ends_in_norm() const;

  /// relu((*this)(x) + addend), in one op with this last module.
  Var rectified(const Var& x, const Var& addend);

 private:
  Var first(std::size_t count, const Var& x);

  std::vector<Child> children_;
};

/// relu(body(x) + shortcut(x)); no shortcut is the identity (He et al., 2016).
class Residual final : public Module {
 public:
  Residual(std::unique_ptr<Module> body, std::unique_ptr<Module> shortcut)
      : body_(std::move(body)), shortcut_(std::move(shortcut)) {}

  Var forward(const Var& x) override;
  void visit(Visitor& visitor) override;
  std::string_view kind() const override { return "Residual"; }

  Slot output_q;

 private:
  std::unique_ptr<Module> body_, shortcut_;
  Add add_;
};

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
