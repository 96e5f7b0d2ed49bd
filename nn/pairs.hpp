#pragma once

#include "nn/module.hpp"

/// Functions of two tensors, as layers: they own nothing, but their result is a
/// tensor to quantize, and a slot needs a module to be in.
namespace fraqat::inline FRAQAT_PRECISION::nn {

/// y = Q_out(f(a, b)); of one tensor alone it is f(x, x).
template <class Function>
class Pair final : public Module {
 public:
  using Module::operator();

  template <class... Numbers>
  explicit Pair(Numbers... numbers) : function{numbers...} {}

  Var operator()(const Var& a, const Var& b) {
    LayerScope scope(path_);
    return output_q(function(a, b));
  }
  Var forward(const Var& x) override { return (*this)(x, x); }
  void visit(Visitor& visitor) override { visitor.slot("output_q", output_q); }
  std::string_view kind() const override { return Function::kind; }

  Function function;
  Slot output_q;
};

namespace function {

struct Add {
  static constexpr std::string_view kind = "Add";
  Var operator()(const Var& a, const Var& b) const { return op::add(a, b); }
};

struct Subtract {
  static constexpr std::string_view kind = "Subtract";
  Var operator()(const Var& a, const Var& b) const { return op::sub(a, b); }
};

struct Multiply {
  static constexpr std::string_view kind = "Multiply";
  Var operator()(const Var& a, const Var& b) const { return op::mul(a, b); }
};

/// a b, or factor times it, transposed as the options say (op::matmul).
struct Matmul {
  static constexpr std::string_view kind = "Matmul";
  op::MatmulOptions options = {};
  Real factor = 1;
  Var operator()(const Var& a, const Var& b) const {
    const Var product = op::matmul(a, b, options);
    return factor == 1 ? product : op::mul(product, Var(Tensor({1}, factor)));
  }
};

}  // namespace function

using Add = Pair<function::Add>;
using Subtract = Pair<function::Subtract>;
using Multiply = Pair<function::Multiply>;
using Matmul = Pair<function::Matmul>;

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
