#include <cmath>

#include "tests/support/golden.hpp"

namespace fraqat::group_norm_test {
namespace {

struct Case {
  Shape x;
  Index groups;

  Var operator()(std::span<const Var> v) const { return op::group_norm(v[0], groups, v[1], v[2]); }

  std::vector<Tensor> inputs() const {
    const Shape channels{x[-1]};
    return {test::normal(x, 1), test::uniform(channels, Real(0.5), 2, 2),
            test::normal(channels, 3)};
  }
};

const std::vector<Case> cases = {{{2, 6}, 2},         {{3, 5, 4}, 1},    {{2, 3, 5, 4}, 2},
                                 {{1, 2, 3, 9}, 3},   {{2, 3, 3, 5}, 5}, {{5, 1, 4, 17}, 1},
                                 {{2, 2, 1, 3, 6}, 3}};

// Two passes over each group, by the definition.
Tensor naive(const Case& c, const std::vector<Tensor>& in) {
  const Index channels = c.x[-1], width = channels / c.groups, each = in[0].size() / c.x[0];
  Tensor y(c.x);
  for (Index n = 0; n < c.x[0]; ++n)
    for (Index g = 0; g < c.groups; ++g) {
      std::vector<Index> members;
      for (Index i = n * each; i < (n + 1) * each; ++i)
        if (i % channels / width == g) members.push_back(i);
      const double count = double(members.size());
      double mean = 0, variance = 0;
      for (const Index i : members) mean += double(in[0][i]) / count;
      for (const Index i : members) variance += std::pow(double(in[0][i]) - mean, 2) / count;
      for (const Index i : members)
        y[i] = Real((double(in[0][i]) - mean) / std::sqrt(variance + 1e-5) *
                        double(in[1][i % channels]) +
                    double(in[2][i % channels]));
    }
  return y;
}

}  // namespace

TEST_CASE("group_norm: gradient") {
  for (const Case& c : cases) test::gradcheck(c, c.inputs());
}

TEST_CASE("group_norm: against the definition") {
  for (const Case& c : cases) {
    const std::vector<Tensor> in = c.inputs();
    test::check_close(op::group_norm(Var(in[0]), c.groups, Var(in[1]), Var(in[2])).value(),
                      naive(c, in), 1e-4, 1e-5);
  }
}

TEST_CASE("group_norm: attributes") {
  const Var x(test::normal({2, 4})), one(Tensor({4}, Real(1)));
  Tape tape(Tape::Records::graph);
  op::group_norm(x, 2, one, one, Real(0.25));
  CHECK(tape.nodes()[0]->attributes().get<Index>("groups") == 2);
  CHECK(tape.nodes()[0]->attributes().get<double>("epsilon") == 0.25);
}

TEST_CASE("group_norm: same bits for any number of threads") {
  const Case c{{37, 13, 7, 12}, 3};
  test::same_bits_for_any_threads(c, c.inputs());
}

TEST_CASE("group_norm: as PyTorch") {
  test::as_pytorch("group_norm/two-groups", Case{{}, 2}, 1e-5, 1e-5);
  test::as_pytorch("group_norm/one-group", Case{{}, 1}, 1e-5, 1e-5);
}

TEST_CASE("group_norm: what does not fit is refused") {
  const Var x(Tensor({2, 6}, Real(0))), six(Tensor({6}, Real(1))), two(Tensor({2}, Real(1)));
  CHECK_THROWS_WITH_AS(op::group_norm(two, 1, two, two),
                       "[group_norm] no channels: got x [2]; expected x[N, ..., C]", Error);
  CHECK_THROWS_WITH_AS(
      op::group_norm(x, 4, six, six),
      "[group_norm] channels do not divide: got 4 groups for x [2, 6]; expected a divisor of 6",
      Error);
  CHECK_THROWS_AS(op::group_norm(x, 0, six, six), Error);
  CHECK_THROWS_WITH_AS(op::group_norm(x, 2, two, six),
                       "[group_norm] channels differ: got gamma [2], beta [6]; expected [6] for x "
                       "[2, 6]",
                       Error);
  CHECK_THROWS_WITH_AS(op::group_norm(x, 2, six, six, 0),
                       "[group_norm] epsilon is not positive: got 0; expected more than 0", Error);
}

}  // namespace fraqat::group_norm_test
