#include "nn/pairs.hpp"

#include "tests/support/layers.hpp"

namespace fraqat::pairs_test {
namespace {

// The layer, its name, and the op that it is.
template <class Layer>
void check_pair(Layer layer, std::string_view kind, const test::Function& f,
                const std::vector<Tensor>& inputs) {
  INFO(std::string(kind));
  CHECK(layer->kind() == kind);
  const auto through = [&](std::span<const Var> x) { return (*layer)(x[0], x[1]); };
  const std::array<Var, 2> x = {Var(inputs[0]), Var(inputs[1])};
  const Real expected = f(x).value()[0];
  CHECK(test::numbers(through(x).value()) == test::numbers(f(x).value()));
  test::gradcheck(through, inputs);
  layer->output_q.fill(std::make_shared<test::Offset>(Real(100)));
  CHECK(through(x).value()[0] == expected + 100);
  Tape tape(Tape::Records::graph);
  layer->set_path("block.pair");
  through(x);
  CHECK(tape.nodes().at(0)->layer() == "block.pair");
}

}  // namespace

TEST_CASE("pairs: each is its op of two tensors behind a slot") {
  const std::vector<Tensor> same = {test::normal({2, 3}, 1), test::normal({2, 3}, 2)};
  check_pair(
      std::make_unique<nn::Add>(), "Add",
      [](std::span<const Var> x) { return op::add(x[0], x[1]); }, same);
  check_pair(
      std::make_unique<nn::Subtract>(), "Subtract",
      [](std::span<const Var> x) { return op::sub(x[0], x[1]); }, same);
  check_pair(
      std::make_unique<nn::Multiply>(), "Multiply",
      [](std::span<const Var> x) { return op::mul(x[0], x[1]); }, same);
}

TEST_CASE("pairs: a product of matrices, transposed and with a factor") {
  check_pair(std::make_unique<nn::Matmul>(), "Matmul",
             [](std::span<const Var> x) { return op::matmul(x[0], x[1]); },
             {test::normal({2, 2, 3}, 1), test::normal({2, 3, 2}, 2)});
  check_pair(std::make_unique<nn::Matmul>(op::MatmulOptions{false, true}, Real(0.5)), "Matmul",
             [](std::span<const Var> x) {
               return op::mul(op::matmul(x[0], x[1], {false, true}), Var(Tensor({1}, Real(0.5))));
             },
             {test::normal({2, 2, 3}, 1), test::normal({2, 2, 3}, 2)});
}

TEST_CASE("pairs: of one tensor it is f(x, x)") {
  nn::Multiply square;
  CHECK(test::numbers(square(Var(Tensor({2}, std::array<Real, 2>{3, -4}))).value()) ==
        std::vector<Real>{9, 16});
}

}  // namespace fraqat::pairs_test
