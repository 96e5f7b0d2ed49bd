#pragma once

#include "nn/module.hpp"

/// Functions of each element by itself, as layers.  There is one class for all of
/// them: what differs is a function with a name, and its numbers if it has any.
namespace fraqat::inline FRAQAT_PRECISION::nn {

/// y = Q_out(f(x)), x and y of the same shape.  The arguments of the constructor
/// are the numbers of f: LeakyRelu(Real(0.1)).
template <class Function>
class Activation final : public Module {
 public:
  template <class... Numbers>
  explicit Activation(Numbers... numbers) : function{numbers...} {}

  Var forward(const Var& x) override {
    if constexpr (requires { Function::through(output_q, x); })
      return Function::through(output_q, x);
    else
      return output_q(function(x));
  }
  void visit(Visitor& visitor) override { visitor.slot("output_q", output_q); }
  std::string_view kind() const override { return Function::kind; }

  Function function;
  Slot output_q;
};

namespace function {

struct Relu {
  static constexpr std::string_view kind = "Relu";
  Var operator()(const Var& x) const { return op::relu(x); }

  /// Rounding clamps, too: what fills the slot may do both in one pass.
  static Var through(const Slot& slot, const Var& x) { return slot.of_rectified(x); }
};

struct Relu6 {
  static constexpr std::string_view kind = "Relu6";
  Var operator()(const Var& x) const { return op::relu6(x); }
};

struct LeakyRelu {
  static constexpr std::string_view kind = "LeakyRelu";
  Real slope = Real(0.01);
  Var operator()(const Var& x) const { return op::leaky_relu(x, slope); }
};

struct Sigmoid {
  static constexpr std::string_view kind = "Sigmoid";
  Var operator()(const Var& x) const { return op::sigmoid(x); }
};

struct Tanh {
  static constexpr std::string_view kind = "Tanh";
  Var operator()(const Var& x) const { return op::tanh(x); }
};

struct Silu {
  static constexpr std::string_view kind = "Silu";
  Var operator()(const Var& x) const { return op::silu(x); }
};

struct Hardswish {
  static constexpr std::string_view kind = "Hardswish";
  Var operator()(const Var& x) const { return op::hardswish(x); }
};

struct Gelu {
  static constexpr std::string_view kind = "Gelu";
  op::GeluForm form = op::GeluForm::erf;
  Var operator()(const Var& x) const { return op::gelu(x, form); }
};

struct Softplus {
  static constexpr std::string_view kind = "Softplus";
  Real beta = 1, threshold = 20;
  Var operator()(const Var& x) const { return op::softplus(x, beta, threshold); }
};

}  // namespace function

using Relu = Activation<function::Relu>;            // Nair and Hinton, 2010
using Relu6 = Activation<function::Relu6>;          // Krizhevsky, 2010
using LeakyRelu = Activation<function::LeakyRelu>;  // Maas, Hannun and Ng, 2013
using Sigmoid = Activation<function::Sigmoid>;
using Tanh = Activation<function::Tanh>;
using Silu = Activation<function::Silu>;            // Elfwing, Uchibe and Doya, 2018
using Hardswish = Activation<function::Hardswish>;  // Howard et al., 2019
using Gelu = Activation<function::Gelu>;            // Hendrycks and Gimpel, 2016
using Softplus = Activation<function::Softplus>;    // Dugas et al., 2001

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
