#include <cmath>

#include "tests/support/golden.hpp"

namespace fraqat::layer_norm_test {
namespace {

Var layer_norm(std::span<const Var> x) { return op::layer_norm(x[0], x[1], x[2]); }

struct Case {
  Shape x, last;

  std::vector<Tensor> inputs() const {
    return {test::normal(x, 1), test::uniform(last, Real(0.5), 2, 2), test::normal(last, 3)};
  }
};

const std::vector<Case> cases = {
    {{5}, {5}},          {{3, 7}, {7}}, {{3, 17}, {17}},          {{2, 3, 5}, {5}},
    {{2, 3, 5}, {3, 5}}, {{4, 2}, {2}}, {{2, 1, 3, 2}, {1, 3, 2}}};

// Two passes over each row, by the definition.
Tensor naive(const std::vector<Tensor>& in, double epsilon) {
  const Index width = in[1].size();
  Tensor y(in[0].shape());
  for (Index first = 0; first < y.size(); first += width) {
    double mean = 0, variance = 0;
    for (Index i = 0; i < width; ++i) mean += double(in[0][first + i]) / double(width);
    for (Index i = 0; i < width; ++i)
      variance += std::pow(double(in[0][first + i]) - mean, 2) / double(width);
    for (Index i = 0; i < width; ++i)
      y[first + i] = Real((double(in[0][first + i]) - mean) / std::sqrt(variance + epsilon) *
                              double(in[1][i]) +
                          double(in[2][i]));
  }
  return y;
}

}  // namespace

TEST_CASE("layer_norm: gradient") {
  for (const Case& c : cases) test::gradcheck(layer_norm, c.inputs());
}

TEST_CASE("layer_norm: against the definition") {
  for (const Case& c : cases) {
    const std::vector<Tensor> in = c.inputs();
    test::check_close(op::layer_norm(Var(in[0]), Var(in[1]), Var(in[2])).value(), naive(in, 1e-5),
                      1e-4, 1e-5);
  }
}

TEST_CASE("layer_norm: numbers far from zero keep their differences") {
  std::vector<Tensor> in = Case{{3, 17}, {17}}.inputs();
  for (Real& v : in[0].span()) v += 1000;
  test::check_close(op::layer_norm(Var(in[0]), Var(in[1]), Var(in[2])).value(), naive(in, 1e-5),
                    1e-3, 1e-3);
}

TEST_CASE("layer_norm: only the gradients that are wanted") {
  const std::vector<Tensor> in = cases[1].inputs();
  const Var x(in[0]), gamma(in[1], true), beta(in[2]);
  Tape tape;
  tape.backward(op::sum(op::layer_norm(x, gamma, beta)));
  CHECK(!x.grad());
  CHECK(gamma.grad());
  CHECK(!beta.grad());
}

TEST_CASE("layer_norm: attributes") {
  const Var x(test::normal({2, 4})), one(Tensor({4}, Real(1)));
  Tape tape(Tape::Records::graph);
  op::layer_norm(x, one, one, Real(0.25));
  CHECK(tape.nodes()[0]->attributes().get<double>("epsilon") == 0.25);
}

TEST_CASE("layer_norm: same bits for any number of threads") {
  test::same_bits_for_any_threads(layer_norm, Case{{1021, 37}, {37}}.inputs());
}

TEST_CASE("layer_norm: as PyTorch") {
  for (const char* golden : {"layer_norm/last", "layer_norm/two"})
    test::as_pytorch(golden, layer_norm, 1e-5, 1e-5);
}

TEST_CASE("layer_norm: what does not fit is refused") {
  const Var x(Tensor({2, 3}, Real(0))), three(Tensor({3}, Real(1))), two(Tensor({2}, Real(1)));
  CHECK_THROWS_WITH_AS(op::layer_norm(x, two, two),
                       "[layer_norm] shapes do not fit: got x [2, 3], gamma [2], beta [2]; "
                       "expected gamma and beta of the last dimensions of x",
                       Error);
  CHECK_THROWS_AS(op::layer_norm(x, three, two), Error);
  CHECK_THROWS_AS(op::layer_norm(three, x, x), Error);
  CHECK_THROWS_WITH_AS(op::layer_norm(x, three, three, 0),
                       "[layer_norm] epsilon is not positive: got 0; expected more than 0", Error);
}

}  // namespace fraqat::layer_norm_test
