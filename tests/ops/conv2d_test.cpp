#include <array>

#include "tests/support/convolutions.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/threads.hpp"

namespace fraqat::conv2d_test {
namespace {

using namespace test::convolutions;

const std::array<Case, 14> gradient_cases = {{
    {2, 5, 5, 2, 3, 3, 3, {1, 1, 1, 1}},
    {2, 7, 6, 2, 2, 3, 3, {2, 1, 1, 1}},
    {1, 8, 7, 1, 2, 2, 2, {3, 0, 1, 1}},
    {1, 7, 7, 2, 2, 3, 3, {1, 2, 2, 1}},
    {2, 4, 4, 4, 6, 3, 3, {1, 1, 1, 2}},
    {2, 4, 5, 3, 3, 3, 3, {1, 1, 1, 3}},
    {1, 5, 5, 3, 6, 3, 3, {2, 1, 1, 3}},
    {2, 3, 3, 3, 4, 1, 1, {1, 0, 1, 1}, false},
    {1, 5, 4, 3, 2, 1, 1, {2, 0, 1, 1}},
    {1, 1, 1, 1, 1, 1, 1},
    {1, 6, 6, 1, 2, 5, 5, {1, 2, 1, 1}},
    {3, 1, 7, 2, 1, 1, 3, {1, 1, 1, 1}, false},
    {2, 4, 3, 2, 2, 2, 3, {1, {0, 1, 2, 0}, 1, 1}},
    {1, 3, 4, 2, 2, 1, 1, {2, {0, 2, 0, 1}, 1, 2}},
}};

}  // namespace

TEST_CASE("conv2d: gradient") {
  for (const Case& c : gradient_cases) test::gradcheck(c, c.inputs());
}

TEST_CASE("conv2d: forward and gradients equal the definition on random shapes") {
  test::ShapeDice dice;
  for (std::uint64_t i = 0; i < 300; ++i) check_case(random_case(dice), 10 * i);
}

TEST_CASE("conv2d: forward and gradients equal the definition in every way they are computed") {
  test::ShapeDice dice;
  Reached reached;
  for (std::uint64_t i = 0; i < 1600; ++i) {
    const Case c = case_for(static_cast<Way>(i % 4), dice, kernels::active().direct.lanes);
    count_ways(c.shape(), reached);
    check_case(c, 10 * i);
  }
  std::vector<std::string> ways{"depthwise", "direct backward_data by residues"};
  for (const std::string pass : {"forward", "backward_data", "backward_weights"})
    for (const std::string way : {"direct ", "lanes ", "im2col "}) ways.push_back(way + pass);
  for (const std::string& way : ways) {
    INFO(way);
    CHECK(reached[way] >= 200);
  }
}

TEST_CASE("conv2d: forward and gradients equal the definition on large images") {
  check_case({2, 40, 41, 8, 5, 5, 5, {1, 2, 1, 1}}, 1);  // several tiles of rows
  check_case({40, 3, 3, 2, 2, 3, 3, {1, 1, 1, 1}}, 2);   // several samples a chunk
  check_case({2, 60, 60, 3, 7, 1, 1, {1, 0, 1, 1}}, 3);
}

TEST_CASE("conv2d: as PyTorch") {
  const auto with = [](const op::Conv2dOptions& options) {
    return [=](std::span<const Var> x) {
      return op::conv2d(x[0], x[1], x.size() > 2 ? x[2] : Var(), options);
    };
  };
  test::as_pytorch("conv2d/padded", with({1, 1, 1, 1}), 1e-5, 1e-5);
  test::as_pytorch("conv2d/no-bias", with({2, 0, 1, 1}), 1e-5, 1e-5);
  test::as_pytorch("conv2d/dilated", with({2, 2, 2, 1}), 1e-5, 1e-5);
  test::as_pytorch("conv2d/groups", with({1, 1, 1, 2}), 1e-5, 1e-5);
  test::as_pytorch("conv2d/depthwise", with({1, 1, 1, 5}), 1e-5, 1e-5);
  test::as_pytorch("conv2d/asymmetric", with({1, {2, 0, 0, 1}, 1, 1}), 1e-5, 1e-5);
  test::as_pytorch("conv2d_wide/padded", with({1, 1, 1, 1}), 1e-5, 1e-4);
  test::as_pytorch("conv2d_wide/strided", with({2, 2, 1, 1}), 1e-5, 1e-4);
  test::as_pytorch("conv2d_wide/samples", with({1, 1, 1, 1}), 1e-5, 1e-4);
}

TEST_CASE("conv2d: same bits for any number of threads") {
  for (const Case& c :
       {Case{37, 9, 8, 3, 6, 3, 3, {1, 1, 1, 1}}, Case{33, 14, 14, 6, 16, 5, 5, {1, 0, 1, 1}},
        Case{5, 11, 12, 4, 8, 3, 3, {2, 1, 1, 2}}, Case{37, 9, 8, 17, 25, 3, 3, {2, 1, 1, 1}},
        Case{37, 9, 8, 6, 6, 3, 3, {1, 1, 1, 6}}})
    test::same_bits_for_any_threads(c, c.inputs());
}

TEST_CASE("conv2d: only the gradients that are wanted") {
  const Case c{2, 5, 5, 2, 3, 3, 3};
  const std::vector<Tensor> in = c.inputs();
  const Var x(in[0]), weight(in[1], true), bias(in[2]);
  Tape tape;
  tape.backward(op::sum(op::conv2d(x, weight, bias)));
  CHECK(!x.grad());
  CHECK(weight.grad());
  CHECK(!bias.grad());
}

namespace {

// relu(batch_norm(conv2d(in)) + addend), the last two if asked for: in one op, or in two.
Tensor normalised(const Case& c, const std::vector<Tensor>& in, bool relu, bool with_addend,
                  bool in_one) {
  const Var x(in[0]), weight(in[1]), bias = c.bias ? Var(in[2]) : Var();
  const Var gamma(test::normal({c.O}, 91)), beta(test::normal({c.O}, 92));
  op::BatchNormState state{test::normal({c.O}, 93), test::uniform({c.O}, Real(0.5), 2, 94)};
  op::BatchNormOptions options;
  options.relu = relu;
  const Shape shape = op::conv2d_shape(in[0].shape(), in[1].shape(), c.options);
  const Var addend = with_addend ? Var(test::normal(shape, 95)) : Var();
  if (in_one)
    return op::conv2d_batch_norm(x, weight, bias, c.options,
                                 op::normalised_channels(gamma, beta, state, options, addend))
        .value();
  const Var y = op::conv2d(x, weight, bias, c.options);
  return op::batch_norm(y, gamma, beta, state, options, addend).value();
}

}  // namespace

TEST_CASE("conv2d_batch_norm: the bits of the two ops, on random shapes") {
  test::ShapeDice dice;
  for (std::uint64_t i = 0; i < 200; ++i) {
    const Case c = random_case(dice);
    const std::vector<Tensor> in = c.inputs(10 * i);
    const bool relu = dice(0, 1) == 1, with_addend = dice(0, 1) == 1;
    CHECK(test::numbers(normalised(c, in, relu, with_addend, true)) ==
          test::numbers(normalised(c, in, relu, with_addend, false)));
  }
}

TEST_CASE("conv2d_batch_norm: same bits for any number of threads") {
  for (const Case& c :
       {Case{37, 9, 8, 3, 6, 3, 3, {1, 1, 1, 1}}, Case{37, 9, 8, 17, 25, 3, 3, {2, 1, 1, 1}}}) {
    const std::vector<Tensor> in = c.inputs();
    const std::vector<Real> two = test::numbers(normalised(c, in, true, true, false));
    for (const int count : {1, 2, 3, 7}) {
      const test::Threads threads(count);
      CHECK(test::numbers(normalised(c, in, true, true, true)) == two);
    }
  }
}

TEST_CASE("conv2d_batch_norm: what does not fit is refused, and so is a tape") {
  const Var x(Tensor({1, 4, 4, 1}, Real(1))), weight(Tensor({2, 3, 3, 1}, Real(1)));
  const auto norm = [](Index channels, const Var& addend = {}) {
    const Var ones(Tensor({channels}, Real(1)));
    return op::normalised_channels(ones, ones, {ones.value(), ones.value()}, {}, addend);
  };
  CHECK_THROWS_WITH_AS(op::conv2d_batch_norm(x, weight, {}, {}, norm(3)),
                       "[conv2d_batch_norm] shapes differ: got mean [3], addend []; expected [2] "
                       "and none or [1, 2, 2, 2]",
                       Error);
  CHECK_THROWS_AS(op::conv2d_batch_norm(x, weight, {}, {}, norm(2, x)), Error);
  op::BatchNormOptions training;
  training.batch_statistics = true;
  const Var one(Tensor({1}, Real(1)));
  CHECK_THROWS_WITH_AS(
      op::normalised_channels(one, one, {one.value(), one.value()}, training),
      "[batch_norm] the batch is not there yet: got batch_statistics; expected running statistics",
      Error);
  const Tape tape;
  CHECK_THROWS_WITH_AS(op::conv2d_batch_norm(x, weight, {}, {}, norm(2)),
                       "[conv2d_batch_norm] has no gradient: got a tape that records; expected "
                       "none; try conv2d and batch_norm",
                       Error);
}

TEST_CASE("conv2d: an empty batch is refused") {
  CHECK_THROWS_WITH_AS(op::conv2d(Var(Tensor({0, 4, 4, 1})), Var(Tensor({2, 3, 3, 1}, Real(1)))),
                       "[conv2d] an empty tensor: got [0, 4, 4, 1]; expected extents of 1 or more",
                       Error);
}

TEST_CASE("conv2d: attributes are described") {
  Tape tape(Tape::Records::graph);
  op::conv2d(Var(Tensor({1, 9, 9, 4}, Real(0))), Var(Tensor({2, 3, 3, 2}, Real(0))), {},
             {2, 3, 4, 2});
  const Attributes a = tape.nodes().at(0)->attributes();
  CHECK(a.get<Index>("stride") == 2);
  CHECK(a.get<Index>("padding") == 3);
  CHECK(a.get<Index>("dilation") == 4);
  CHECK(a.get<Index>("groups") == 2);
}

TEST_CASE("conv2d: padding that differs from side to side") {
  const Var x(Tensor({1, 1, 2, 1}, std::array<Real, 2>{3, 5})), w(Tensor({1, 1, 1, 1}, Real(2)));
  Tape tape(Tape::Records::graph);
  const Var y = op::conv2d(x, w, {}, {1, {1, 0, 0, 2}, 1, 1});
  CHECK(y.shape() == Shape{1, 2, 4, 1});
  CHECK(test::numbers(y.value()) == std::vector<Real>{0, 0, 0, 0, 6, 10, 0, 0});
  CHECK(tape.nodes().at(0)->attributes().get<std::vector<Index>>("padding") ==
        std::vector<Index>{1, 0, 0, 2});
}

TEST_CASE("conv2d: what does not fit is refused") {
  const auto conv = [](const Shape& x, const Shape& weight, const op::Conv2dOptions& options = {},
                       const Var& bias = {}) {
    op::conv2d(Var(Tensor(x, Real(0))), Var(Tensor(weight, Real(0))), bias, options);
  };
  CHECK_THROWS_WITH_AS(conv({4, 4, 1}, {2, 3, 3, 1}),
                       "[conv2d] wrong rank: got x [4, 4, 1] and weight [2, 3, 3, 1]; expected "
                       "x[N, H, W, C] and weight[O, R, S, C / groups]",
                       Error);
  CHECK_THROWS_WITH_AS(conv({1, 4, 4, 3}, {2, 3, 3, 2}),
                       "[conv2d] channels do not fit: got x [1, 4, 4, 3] and weight [2, 3, 3, 2] "
                       "in 1 groups; expected x[N, H, W, C] and weight[O, R, S, C / groups], O a "
                       "multiple of groups",
                       Error);
  CHECK_THROWS_AS(conv({1, 4, 4, 4}, {3, 3, 3, 2}, {1, 0, 1, 2}), Error);
  CHECK_THROWS_WITH_AS(conv({1, 4, 4, 1}, {0, 3, 3, 1}),
                       "[conv2d] no weights: got weight [0, 3, 3, 1]; expected extents of 1 or "
                       "more",
                       Error);
  CHECK_THROWS_WITH_AS(conv({1, 2, 4, 1}, {1, 3, 3, 1}),
                       "[conv2d] the window does not fit: got x [1, 2, 4, 1] and weight "
                       "[1, 3, 3, 1] with padding 0 and dilation 1; expected a padded image as "
                       "large as the window",
                       Error);
  CHECK_THROWS_WITH_AS(conv({1, 4, 4, 1}, {2, 3, 3, 1}, {}, Var(Tensor({3}, Real(0)))),
                       "[conv2d] wrong bias: got [3] for weight [2, 3, 3, 1]; expected [2]", Error);
  CHECK_THROWS_WITH_AS(conv({1, 4, 4, 1}, {1, 3, 3, 1}, {1, {0, 0, -1, 2}, 1, 1}),
                       "[conv2d] impossible options: got stride 1, padding (0, 0, -1, 2), dilation "
                       "1, groups 1; expected stride and dilation of 1 to 65536, padding of 0 to "
                       "65536 and groups of 1 or more",
                       Error);
  for (const op::Conv2dOptions& bad :
       {op::Conv2dOptions{0, 0, 1, 1}, {1, -1, 1, 1}, {1, 0, 0, 1}, {1, 0, 1, 0}})
    CHECK_THROWS_AS(conv({1, 4, 4, 1}, {1, 3, 3, 1}, bad), Error);
  constexpr Index huge = Index(1) << 62;  // times 4 it is 0, when it overflows
  for (const op::Conv2dOptions& bad :
       {op::Conv2dOptions{65537, 0, 1, 1}, {1, 0, huge, 1}, {1, {huge, huge, 0, 0}, 1, 1}})
    CHECK_THROWS_WITH_AS(conv({1, 4, 4, 1}, {1, 5, 5, 1}, bad),
                         doctest::Contains("[conv2d] impossible options: got stride "), Error);
}

}  // namespace fraqat::conv2d_test
