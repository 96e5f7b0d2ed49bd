#pragma once

#include "nn/layers.hpp"
#include "nn/pairs.hpp"

/// Cells that read a sequence, one step after the other, into a state h[n, hidden].
/// A cell is two Linears, ih of the input and hh of the state, and layers without
/// parameters between them, so each gate and each product has a slot.  All steps
/// share the cell's slots as they share its weights.
///
/// PyTorch's weight_ih is ih.weight here, bias_hh is hh.bias: same shapes, gates in
/// the same order, initial values uniform in +-1 / sqrt(hidden).
namespace fraqat::inline FRAQAT_PRECISION::nn {

/// Long short-term memory (Hochreiter and Schmidhuber, 1997; with a forget gate,
/// Gers et al., 2000).  With the four parts of ih(x) + hh(h), each [n, hidden]:
///
///   i, f, o = sigmoid of parts 1, 2, 4,   g = tanh of part 3
///   c' = f c + i g,   h' = o tanh(c')
class LstmCell final : public Module {
 public:
  using Module::operator();

  struct State {
    Var hidden, cell;
  };

  LstmCell(Index in, Index hidden, Initializer& init, bool with_bias = true);

  /// The state behind x[n, in].
  State operator()(const Var& x, const State& state);

  /// The same from ih(x)[n, 4 hidden], which needs no state.
  State step(const Var& projected, const State& state);

  /// h' behind x, from a state of zeros.
  Var forward(const Var& x) override;
  void visit(Visitor& visitor) override;
  std::string_view kind() const override { return "LstmCell"; }

  State zeros(Index n) const;
  static const Var& output(const State& state) { return state.hidden; }

  Index hidden;
  Linear ih, hh;
  Add sum, new_cell;
  Sigmoid input_gate, forget_gate, output_gate;
  Tanh cell_gate, squashed;
  Multiply kept, admitted, new_hidden;
};

/// Gated recurrent unit (Cho et al., 2014).  With the three parts x_r, x_z, x_n of
/// ih(x) and h_r, h_z, h_n of hh(h), each [n, hidden]:
///
///   r = sigmoid(x_r + h_r),   z = sigmoid(x_z + h_z),   n = tanh(x_n + r h_n)
///   h' = n + z (h - n)
class GruCell final : public Module {
 public:
  using Module::operator();

  using State = Var;

  GruCell(Index in, Index hidden, Initializer& init, bool with_bias = true);

  /// The state behind x[n, in].
  State operator()(const Var& x, const State& state);

  /// The same from ih(x)[n, 3 hidden], which needs no state.
  State step(const Var& projected, const State& state);

  /// h' behind x, from a state of zeros.
  Var forward(const Var& x) override;
  void visit(Visitor& visitor) override;
  std::string_view kind() const override { return "GruCell"; }

  State zeros(Index n) const { return Var(Tensor({n, hidden}, Real(0))); }
  static const Var& output(const State& state) { return state; }

  Index hidden;
  Linear ih, hh;
  Add reset_sum, update_sum, new_sum, new_hidden;
  Sigmoid reset_gate, update_gate;
  Tanh candidate;
  Multiply remembered, moved;
  Subtract difference;
};

/// A cell led over x[N, T, in] from a state of zeros: [N, T, hidden], every h, or
/// with `last` the one behind the last step, [N, hidden].  ih of all steps is one
/// product.
template <class Cell>
class Recurrent final : public Module {
 public:
  Recurrent(Index in, Index hidden, Initializer& init, bool last = false)
      : last(last), cell(in, hidden, init) {}

  Var forward(const Var& x) override;
  void visit(Visitor& visitor) override { visitor.child("cell", cell); }
  std::string_view kind() const override { return "Recurrent"; }

  bool last;
  Cell cell;
};

extern template class Recurrent<LstmCell>;
extern template class Recurrent<GruCell>;

using Lstm = Recurrent<LstmCell>;
using Gru = Recurrent<GruCell>;

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
