#include <doctest/doctest.h>

#include <array>
#include <vector>

#include "core/ops.hpp"

namespace fraqat::tape_test {
namespace {

Var numbers(std::initializer_list<Real> values, bool wants_grad = true) {
  return Var(Tensor({static_cast<Index>(values.size())}, std::vector<Real>(values)), wants_grad);
}

std::vector<Real> list(const Tensor& t) { return {t.data(), t.data() + t.size()}; }

}  // namespace

TEST_CASE("tape: (a + a) + a accumulates only where the storage is unique") {
  const Var a = numbers({1, 2});
  Tape tape;
  const Var y = op::add(op::add(a, a), a);
  CHECK(list(y.value()) == std::vector<Real>{3, 6});
  tape.backward(op::sum(y));
  CHECK(list(a.grad()) == std::vector<Real>{3, 3});
}

TEST_CASE("tape: every path to a variable contributes") {
  const Var a = numbers({2, -3});
  Tape tape;
  const Var square = op::mul(a, a);
  tape.backward(op::sum(op::add(op::mul(square, a), square)));  // 3 a^2 + 2 a
  CHECK(list(a.grad()) == std::vector<Real>{16, 21});
}

TEST_CASE("tape: gradients add up over backward passes until they are cleared") {
  const Var a = numbers({1, 2});
  for (const Real expected : {2, 4, 6}) {
    Tape tape;
    tape.backward(op::sum(op::add(a, a)));
    CHECK(list(a.grad()) == std::vector<Real>{expected, expected});
  }
  a.clear_grad();
  CHECK_FALSE(a.grad());
}

TEST_CASE("tape: what leads to no wanted gradient is not recorded") {
  const Var a = numbers({1}, false), b = numbers({1});
  op::add(b, b);  // no tape
  Tape tape;
  CHECK(Tape::current() == &tape);
  CHECK_FALSE(op::add(a, a).wants_grad());
  CHECK(tape.nodes().empty());
  CHECK(op::add(a, b).wants_grad());
  CHECK(tape.nodes().size() == 1);
}

TEST_CASE("tape: ops that do not lead to the loss get no gradient") {
  const Var a = numbers({1, 2}), b = numbers({3, 4});
  Tape tape;
  const Var y = op::sum(a);
  op::mul(b, b);
  tape.backward(y);
  CHECK(a.grad());
  CHECK_FALSE(b.grad());
  CHECK(tape.nodes().empty());
}

TEST_CASE("tape: backward destroys its nodes and returns their memory") {
  Var a(Tensor({1000}, Real(1)), true);
  a.grad() = Tensor({1000}, Real(0));
  const std::size_t before = pool::live_bytes();
  Tape tape;
  {
    Var y = a;
    for (int i = 0; i < 20; ++i) y = op::mul(y, a);
    y = op::sum(y);
    CHECK(tape.nodes().size() == 21);
    CHECK(pool::live_bytes() > before + 20 * 1000 * sizeof(Real));
    tape.backward(y);
    CHECK(tape.nodes().empty());
  }
  // What is left is the vector of nodes, which the next step fills again.
  CHECK(pool::live_bytes() <= before + 64 * sizeof(void*));
}

TEST_CASE("tape: the memory of a forward pass is freed on the way back, not after it") {
  const Var a(Tensor({100'000}, Real(1)), true);
  Tape tape;
  Var y = a;
  for (int i = 0; i < 20; ++i) y = op::mul(y, a);
  y = op::sum(y);
  const std::size_t forward = pool::live_bytes();
  pool::reset_peak();
  tape.backward(y);
  CHECK(pool::peak_bytes() < forward + 5 * 100'000 * sizeof(Real));
}

TEST_CASE("tape: an abandoned tape returns its memory") {
  const Var a(Tensor({1000}, Real(1)), true);
  const std::size_t before = pool::live_bytes();
  {
    Tape tape;
    op::sum(op::mul(a, a));
  }
  CHECK(pool::live_bytes() == before);
  CHECK(Tape::current() == nullptr);
}

TEST_CASE("tape: tapes nest; the innermost records") {
  const Var a = numbers({1});
  Tape outer;
  {
    Tape inner;
    op::add(a, a);
    CHECK(inner.nodes().size() == 1);
  }
  CHECK(Tape::current() == &outer);
  CHECK(outer.nodes().empty());
}

TEST_CASE("tape: a graph records everything, in order, with its edges") {
  const Var a = numbers({1, -2}, false);
  Tape tape(Tape::Records::graph);
  const Var y = op::clip(op::add(a, a), -1, 3);
  REQUIRE(tape.nodes().size() == 2);
  const Node &add = *tape.nodes()[0], &clip = *tape.nodes()[1];
  CHECK(add.op() == "add");
  CHECK(clip.op() == "clip");
  CHECK(add.inputs().size() == 2);
  CHECK(add.inputs()[0].id() == a.id());
  CHECK(clip.inputs()[0].id() == add.output().id());
  CHECK(clip.output().id() == y.id());
  const Attributes attributes = clip.attributes();
  CHECK(attributes.get<double>("low") == -1);
  CHECK(attributes.get<double>("high") == 3);
  CHECK_THROWS_WITH_AS(attributes.get<double>("middle"),
                       "[attributes] no such attribute of the type asked for: got \"middle\"; "
                       "expected one of low, high",
                       Error);
  CHECK_THROWS_AS(attributes.get<Index>("low"), Error);
}

TEST_CASE("tape: layer scopes name nodes, and nest") {
  const Var a = numbers({1}, false);
  Tape tape(Tape::Records::graph);
  op::relu(a);
  {
    LayerScope block("block");
    op::relu(a);
    {
      LayerScope layer("block.0");
      op::relu(a);
    }
    op::relu(a);
  }
  std::vector<std::string_view> layers;
  for (const auto& node : tape.nodes()) layers.push_back(node->layer());
  CHECK(layers == std::vector<std::string_view>{"", "block", "block.0", "block"});
}

TEST_CASE("tape: what cannot be differentiated is refused") {
  const Var a = numbers({1, 2});
  Tape graph(Tape::Records::graph);
  CHECK_THROWS_WITH_AS(graph.backward(op::sum(a)),
                       "[backward] no gradients on this tape: got Records::graph; expected "
                       "Records::gradients",
                       Error);
  Tape tape;
  CHECK_THROWS_WITH_AS(tape.backward(a),
                       "[backward] the loss is no scalar: got shape [2]; expected one element; "
                       "try sum or mean",
                       Error);
  CHECK_THROWS_WITH_AS(tape.backward(op::sum(numbers({1}, false))),
                       "[backward] the loss depends on nothing that wants a gradient: got a "
                       "constant; expected a function of a variable that does",
                       Error);
  CHECK_THROWS_WITH_AS(a.accumulate(Tensor({3}, Real(0))),
                       "[backward] gradient of the wrong shape: got [3]; expected [2]", Error);
}

TEST_CASE("tape: a loss of another tape, or of one that was walked, is refused") {
  const Var a = numbers({2});
  Var stale;
  {
    const Tape tape;
    stale = op::mul(a, a);
  }
  Tape tape;
  const Var y = op::mul(a, a);
  CHECK_THROWS_WITH_AS(tape.backward(stale),
                       "[backward] the loss was not computed on this tape: got the output of none "
                       "of its 1 nodes; expected that of one; try a new Tape: one can be walked "
                       "once",
                       Error);
  CHECK_FALSE(stale.grad());
  tape.backward(y);
  CHECK_THROWS_AS(tape.backward(y), Error);
  CHECK(list(a.grad()) == std::vector<Real>{4});
}

TEST_CASE("tape: an op of none is refused") {
  CHECK_THROWS_WITH_AS(op::relu(Var()), "[relu] an operand is none: got no tensor; expected one",
                       Error);
  CHECK_THROWS_AS(op::sum(Var()), Error);
  CHECK_THROWS_AS(op::add(Var(), Var()), Error);
}

TEST_CASE("var: none is an empty value and takes no changes") {
  Var none;
  CHECK_FALSE(none);
  CHECK_FALSE(none.wants_grad());
  CHECK_FALSE(std::as_const(none).value());
  CHECK_FALSE(std::as_const(none).grad());
  CHECK(none.name().empty());
  CHECK_THROWS_WITH_AS(none.value(),
                       "[var] the value of none cannot be changed: got no variable; expected one; "
                       "try Var(tensor)",
                       Error);
  CHECK_THROWS_AS(none.grad(), Error);
  CHECK_THROWS_AS(none.set_wants_grad(true), Error);
  CHECK_THROWS_AS(none.set_name("x"), Error);
  CHECK_THROWS_AS(none.accumulate(Tensor::scalar(1)), Error);
}

}  // namespace fraqat::tape_test
