#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/random.hpp"
#include "tests/support/op_test.hpp"

/// Ops against their definition, on one random shape after the other.
namespace fraqat::test {

/// Whole numbers in [low, high], the same in every run.
class ShapeDice {
 public:
  Index operator()(Index low, Index high) {
    const auto word = Philox(7, Stream::synthetic)({0, 0, 0, drawn_++})[0];
    return low + static_cast<Index>(word % static_cast<std::uint32_t>(high - low + 1));
  }

 private:
  std::uint32_t drawn_ = 0;
};

/// A result of an op and the gradients to its inputs, as its definition gives them: in double, and
/// zero until an oracle adds to them.
struct Definition {
  Definition(const std::vector<Tensor>& inputs, const Tensor& dy) : y(zeros(dy)) {
    for (const Tensor& input : inputs) gradients.push_back(zeros(input));
  }

  static double& at(std::vector<double>& numbers, Index i) {
    return numbers[static_cast<std::size_t>(i)];
  }

  std::vector<double> y;
  std::vector<std::vector<double>> gradients;

 private:
  static std::vector<double> zeros(const Tensor& like) {
    return std::vector<double>(static_cast<std::size_t>(like.size()));
  }
};

/// Whether the largest error is small beside the largest number.
inline bool close(const Tensor& got, const std::vector<double>& expected) {
  constexpr double epsilon = exact ? 1e-11 : 2e-4;
  double scale = 1;
  for (const double v : expected) scale = std::max(scale, std::abs(v));
  bool same = got.size() == static_cast<Index>(expected.size());
  for (Index i = 0; same && i < got.size(); ++i)
    same = std::abs(double(got[i]) - expected[static_cast<std::size_t>(i)]) <= epsilon * scale;
  return same;
}

using Oracle = std::function<Definition(const std::vector<Tensor>& inputs, const Tensor& dy)>;

/// Compares f and its gradients at a random dy with what the oracle says.
inline void check_definition(const Function& f, const Oracle& oracle,
                             const std::vector<Tensor>& inputs, std::uint64_t seed) {
  std::vector<Var> vars;
  for (const Tensor& input : inputs) vars.emplace_back(input, true);
  Tape tape;
  const Var y = f(vars);
  const Tensor result = y.value(), dy = normal(y.shape(), seed);
  tape.backward(op::sum(op::mul(y, Var(dy))));
  const Definition expected = oracle(inputs, dy);
  CHECK(close(result, expected.y));
  for (std::size_t i = 0; i < vars.size(); ++i) {
    INFO("gradient of input ", i);
    REQUIRE(vars[i].grad());
    CHECK(close(vars[i].grad(), expected.gradients[i]));
  }
}

}  // namespace fraqat::test
