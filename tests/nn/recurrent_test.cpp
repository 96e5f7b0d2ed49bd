#include "nn/recurrent.hpp"

#include "tests/support/golden.hpp"
#include "tests/support/layers.hpp"

namespace fraqat::recurrent_test {
namespace {

// Both halves of the new state side by side, as the golden file has them.
test::Function lstm_step(nn::LstmCell& cell) {
  return [&cell](std::span<const Var> x) {
    const nn::LstmCell::State next = cell(x[0], {x[1], x[2]});
    return op::concat({next.hidden, next.cell}, 1);
  };
}

test::Function gru_step(nn::GruCell& cell) {
  return [&cell](std::span<const Var> x) { return cell(x[0], x[1]); };
}

// A sequence is its cell, step by step.
template <class Layer>
void check_sequence(Layer& layer, Layer& last) {
  const Tensor x = test::normal({2, 3, 3});
  const Tensor y = layer(Var(x)).value();
  CHECK(y.shape() == Shape{2, 3, layer.cell.hidden});
  auto state = layer.cell.zeros(2);
  for (Index t = 0; t < 3; ++t) {
    const Var now = op::reshape(op::slice(Var(x), 1, t, t + 1), {2, 3});
    state = layer.cell(now, state);
    const Tensor& h = layer.cell.output(state).value();
    const Var part = op::reshape(op::slice(Var(y), 1, t, t + 1), {2, layer.cell.hidden});
    test::check_close(part.value(), h, 1e-5, 1e-6);
  }
  const auto from = nn::parameters(layer), to = nn::parameters(last);
  for (std::size_t i = 0; i < from.size(); ++i) *to[i].item = *from[i].item;
  CHECK(last(Var(x)).shape() == Shape{2, layer.cell.hidden});
  CHECK(test::numbers(last(Var(x)).value()) == test::numbers(layer.cell.output(state).value()));
  CHECK_THROWS_WITH_AS(layer(Var(Tensor({2, 3}, Real(0)))),
                       "[Recurrent] input does not fit: got x [2, 3]; expected x[N, T, 3]", Error);
  CHECK_THROWS_WITH_AS(layer(Var(Tensor({2, 0, 3}))),
                       "[Recurrent] an empty tensor: got [2, 0, 3]; expected extents of 1 or more",
                       Error);
}

}  // namespace

TEST_CASE("lstm cell: shapes, gradient, threads, PyTorch") {
  nn::Initializer init(1);
  nn::LstmCell cell(3, 4, init);
  CHECK(cell.ih.weight.shape() == Shape{16, 3});
  CHECK(cell.hh.weight.shape() == Shape{16, 4});
  CHECK(cell(Var(test::normal({2, 3}))).shape() == Shape{2, 4});
  test::check_layer(cell, {{2, 3}, {2, 4}, {2, 4}}, lstm_step(cell));
  test::as_pytorch("lstm/cell", test::with_parameters(cell, 3, lstm_step(cell)), 1e-4, 1e-5);
}

TEST_CASE("gru cell: shapes, gradient, threads, PyTorch") {
  nn::Initializer init(1);
  nn::GruCell cell(3, 4, init);
  CHECK(cell.ih.weight.shape() == Shape{12, 3});
  CHECK(cell.hh.weight.shape() == Shape{12, 4});
  CHECK(cell(Var(test::normal({2, 3}))).shape() == Shape{2, 4});
  test::check_layer(cell, {{2, 3}, {2, 4}}, gru_step(cell));
  test::as_pytorch("gru/cell", test::with_parameters(cell, 2, gru_step(cell)), 1e-4, 1e-5);
}

TEST_CASE("lstm and gru: a sequence is its cell step by step, and PyTorch's") {
  nn::Initializer init(1);
  nn::Lstm lstm(3, 2, init), lstm_last(3, 2, init, true);
  nn::Gru gru(3, 2, init), gru_last(3, 2, init, true);
  check_sequence(lstm, lstm_last);
  check_sequence(gru, gru_last);
  test::as_pytorch("lstm/sequence", test::with_parameters(lstm), 1e-4, 1e-5);
  test::as_pytorch("gru/sequence", test::with_parameters(gru), 1e-4, 1e-5);
  test::check_layer(lstm, {{2, 3, 3}}, [&](std::span<const Var> x) { return lstm(x[0]); });
  test::check_layer(gru, {{2, 3, 3}}, [&](std::span<const Var> x) { return gru(x[0]); });
}

TEST_CASE("cells: initial values within 1 / sqrt(hidden), bias if asked") {
  nn::Initializer init(1);
  nn::LstmCell lstm(100, 16, init);
  for (const auto& [name, parameter] : nn::parameters(lstm))
    for (const Real v : parameter->value().span()) REQUIRE(std::abs(v) <= Real(0.25));
  nn::GruCell gru(3, 4, init, false);
  CHECK(nn::parameters(gru).size() == 2);
}

TEST_CASE("cells: gates and products have slots") {
  nn::Initializer init(1);
  nn::LstmCell lstm(3, 2, init);
  std::vector<std::string> slots;
  for (const auto& [name, slot] : nn::slots(lstm)) slots.push_back(name);
  CHECK(slots == std::vector<std::string>{"ih.input_q", "ih.weight_q", "ih.output_q", "hh.input_q",
                                          "hh.weight_q", "hh.output_q", "sum.output_q",
                                          "input_gate.output_q", "forget_gate.output_q",
                                          "cell_gate.output_q", "output_gate.output_q",
                                          "kept.output_q", "admitted.output_q", "new_cell.output_q",
                                          "squashed.output_q", "new_hidden.output_q"});
  const Var x(test::normal({1, 3}));
  const Real before = lstm(x).value()[0];
  lstm.new_hidden.output_q.fill(std::make_shared<test::Offset>(Real(100)));
  CHECK(double(lstm(x).value()[0]) == doctest::Approx(double(before) + 100));
}

TEST_CASE("cells: what does not fit is refused") {
  nn::Initializer init(1);
  nn::LstmCell lstm(3, 2, init);
  nn::GruCell gru(3, 2, init);
  const Var x(Tensor({4, 3}, Real(0))), wrong(Tensor({4, 5}, Real(0)));
  CHECK_THROWS_WITH_AS(nn::LstmCell(3, 0, init),
                       "[LstmCell] impossible size: got 3 in, 0 hidden; expected 1 or more", Error);
  CHECK_THROWS_WITH_AS(lstm(wrong), "[LstmCell] input does not fit: got x [4, 5]; expected x[n, 3]",
                       Error);
  CHECK_THROWS_WITH_AS(gru(wrong), "[GruCell] input does not fit: got x [4, 5]; expected x[n, 3]",
                       Error);
  CHECK_THROWS_WITH_AS(lstm(x, {lstm.zeros(4).hidden, wrong}),
                       "[LstmCell] state does not fit: got [4, 5]; expected [4, 2]; try zeros(n)",
                       Error);
  CHECK_THROWS_WITH_AS(gru(x, Var()),
                       "[GruCell] state does not fit: got nothing; expected [4, 2]; try zeros(n)",
                       Error);
}

}  // namespace fraqat::recurrent_test
