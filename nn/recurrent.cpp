#include "nn/recurrent.hpp"

#include <cmath>

namespace fraqat::inline FRAQAT_PRECISION::nn {
namespace {

Index checked_hidden(std::string_view who, Index in, Index hidden) {
  check(in > 0 && hidden > 0, "[", who, "] impossible size: got ", in, " in, ", hidden,
        " hidden; expected 1 or more");
  return hidden;
}

/// Gives both Linears of a cell PyTorch's initial values.
template <class Cell>
void start_cell(Cell& cell, Initializer& init) {
  const double bound = 1 / std::sqrt(static_cast<double>(cell.hidden));
  for (Linear* linear : {&cell.ih, &cell.hh})
    for (Var* parameter : {&linear->weight, &linear->bias})
      if (*parameter) parameter->value() = init.uniform(parameter->shape(), -bound, bound);
}

void check_cell_input(std::string_view who, const Shape& x, Index in) {
  check(x.rank() == 2 && x[1] == in, "[", who, "] input does not fit: got x ", x,
        "; expected x[n, ", in, ']');
}

void check_cell_state(std::string_view who, const Var& projected, const Var& state, Index hidden) {
  const Shape expected{projected.shape()[0], hidden};
  check(bool(state), "[", who, "] state does not fit: got nothing; expected ", expected,
        "; try zeros(n)");
  check(state.shape() == expected, "[", who, "] state does not fit: got ", state.shape(),
        "; expected ", expected, "; try zeros(n)");
}

}  // namespace

LstmCell::LstmCell(Index in, Index hidden, Initializer& init, bool with_bias)
    : hidden(checked_hidden("LstmCell", in, hidden)),
      ih(in, 4 * hidden, init, with_bias),
      hh(hidden, 4 * hidden, init, with_bias) {
  start_cell(*this, init);
}

LstmCell::State LstmCell::zeros(Index n) const {
  return {Var(Tensor({n, hidden}, Real(0))), Var(Tensor({n, hidden}, Real(0)))};
}

LstmCell::State LstmCell::operator()(const Var& x, const State& state) {
  check_cell_input("LstmCell", x.shape(), ih.weight.shape()[1]);
  return step(ih(x), state);
}

LstmCell::State LstmCell::step(const Var& projected, const State& state) {
  check_cell_state("LstmCell", projected, state.hidden, hidden);
  check_cell_state("LstmCell", projected, state.cell, hidden);
  LayerScope scope(path_);
  const Vars parts = op::split(sum(projected, hh(state.hidden)), 4, 1);
  const Var i = input_gate(parts[0]), f = forget_gate(parts[1]);
  const Var g = cell_gate(parts[2]), o = output_gate(parts[3]);
  const Var c = new_cell(kept(f, state.cell), admitted(i, g));
  return {new_hidden(o, squashed(c)), c};
}

Var LstmCell::forward(const Var& x) {
  check_cell_input("LstmCell", x.shape(), ih.weight.shape()[1]);
  return (*this)(x, zeros(x.shape()[0])).hidden;
}

void LstmCell::visit(Visitor& visitor) {
  visitor.child("ih", ih);
  visitor.child("hh", hh);
  visitor.child("sum", sum);
  visitor.child("input_gate", input_gate);
  visitor.child("forget_gate", forget_gate);
  visitor.child("cell_gate", cell_gate);
  visitor.child("output_gate", output_gate);
  visitor.child("kept", kept);
  visitor.child("admitted", admitted);
  visitor.child("new_cell", new_cell);
  visitor.child("squashed", squashed);
  visitor.child("new_hidden", new_hidden);
}

GruCell::GruCell(Index in, Index hidden, Initializer& init, bool with_bias)
    : hidden(checked_hidden("GruCell", in, hidden)),
      ih(in, 3 * hidden, init, with_bias),
      hh(hidden, 3 * hidden, init, with_bias) {
  start_cell(*this, init);
}

GruCell::State GruCell::operator()(const Var& x, const State& state) {
  check_cell_input("GruCell", x.shape(), ih.weight.shape()[1]);
  return step(ih(x), state);
}

GruCell::State GruCell::step(const Var& projected, const State& h) {
  check_cell_state("GruCell", projected, h, hidden);
  LayerScope scope(path_);
  const Vars from_x = op::split(projected, 3, 1), from_h = op::split(hh(h), 3, 1);
  const Var r = reset_gate(reset_sum(from_x[0], from_h[0]));
  const Var z = update_gate(update_sum(from_x[1], from_h[1]));
  const Var n = candidate(new_sum(from_x[2], remembered(r, from_h[2])));
  return new_hidden(n, moved(z, difference(h, n)));
}

Var GruCell::forward(const Var& x) {
  check_cell_input("GruCell", x.shape(), ih.weight.shape()[1]);
  return (*this)(x, zeros(x.shape()[0]));
}

void GruCell::visit(Visitor& visitor) {
  visitor.child("ih", ih);
  visitor.child("hh", hh);
  visitor.child("reset_sum", reset_sum);
  visitor.child("reset_gate", reset_gate);
  visitor.child("update_sum", update_sum);
  visitor.child("update_gate", update_gate);
  visitor.child("remembered", remembered);
  visitor.child("new_sum", new_sum);
  visitor.child("candidate", candidate);
  visitor.child("difference", difference);
  visitor.child("moved", moved);
  visitor.child("new_hidden", new_hidden);
}

template <class Cell>
Var Recurrent<Cell>::forward(const Var& x) {
  const Index in = cell.ih.weight.shape()[1];
  check(x.shape().rank() == 3 && x.shape()[2] == in, "[Recurrent] input does not fit: got x ",
        x.shape(), "; expected x[N, T, ", in, ']');
  check_not_empty("Recurrent", std::array{&x});
  const Index n = x.shape()[0], steps = x.shape()[1];
  const Var projected = cell.ih(x);
  typename Cell::State state = cell.zeros(n);
  Vars outputs;
  for (Index t = 0; t < steps; ++t) {
    const Var now = op::slice(projected, 1, t, t + 1);
    state = cell.step(op::reshape(now, {n, projected.shape()[2]}), state);
    if (!last) outputs.push_back(op::reshape(Cell::output(state), {n, 1, cell.hidden}));
  }
  return last ? Cell::output(state) : op::concat(outputs, 1);
}

template class Recurrent<LstmCell>;
template class Recurrent<GruCell>;

}  // namespace fraqat::inline FRAQAT_PRECISION::nn
