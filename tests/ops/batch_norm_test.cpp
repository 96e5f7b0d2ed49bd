#include <cmath>

#include "tests/support/golden.hpp"

namespace fraqat::batch_norm_test {
namespace {

op::BatchNormState fresh(Index channels) {
  return {test::normal({channels}, 11), test::uniform({channels}, Real(0.5), 2, 12)};
}

// A state of its own per call, so that every call sees the same one.
test::Function norm(Index channels, bool batch_statistics) {
  return [=](std::span<const Var> x) {
    op::BatchNormState state = fresh(channels);
    op::BatchNormOptions options;
    options.batch_statistics = batch_statistics;
    return op::batch_norm(x[0], x[1], x[2], state, options);
  };
}

// The same with relu and, if there is a fourth input, an addend: in one op, or in three.
test::Function rectified(Index channels, bool batch_statistics, bool in_one) {
  return [=](std::span<const Var> x) {
    op::BatchNormState state = fresh(channels);
    op::BatchNormOptions options;
    options.batch_statistics = batch_statistics;
    options.relu = in_one;
    const Var addend = x.size() > 3 ? x[3] : Var();
    if (in_one) return op::batch_norm(x[0], x[1], x[2], state, options, addend);
    const Var y = op::batch_norm(x[0], x[1], x[2], state, options);
    return op::relu(addend ? op::add(y, addend) : y);
  };
}

// The result, and the gradients of its square.
std::vector<std::vector<Real>> bits(const test::Function& f, const std::vector<Tensor>& inputs) {
  std::vector<Var> x;
  for (const Tensor& tensor : inputs) x.emplace_back(tensor.clone(), true);
  Tape tape;
  const Var y = f(x);
  tape.backward(op::sum(op::mul(y, y)));
  std::vector<std::vector<Real>> all{test::numbers(y.value())};
  for (const Var& input : x) all.push_back(test::numbers(input.grad()));
  return all;
}

std::vector<Tensor> inputs(const Shape& x) {
  return {test::normal(x, 1), test::normal({x[-1]}, 2), test::normal({x[-1]}, 3)};
}

const std::vector<Shape> shapes = {{2, 1}, {5, 3}, {2, 3, 3, 1}, {1, 3, 5, 17}, {4, 1, 1, 7}};

constexpr op::BatchNormOptions training{Real(1e-5), Real(0.1), true, false};

}  // namespace

TEST_CASE("batch_norm: gradient through the batch's statistics") {
  for (const Shape& shape : shapes) {
    // Of two rows z is (almost) +-1 whatever x is: true gradients near zero.
    const std::vector<bool> checked = {shape.size() / shape[-1] > 2, true, true};
    test::gradcheck(norm(shape[-1], true), inputs(shape), 1e-6, checked);
  }
}

TEST_CASE("batch_norm: gradient with running statistics") {
  for (const Shape& shape : shapes) test::gradcheck(norm(shape[-1], false), inputs(shape));
  test::gradcheck(norm(3, false), inputs({1, 3}));
}

TEST_CASE("batch_norm: gradient through an addend and relu") {
  for (const Shape& shape : shapes) {
    std::vector<Tensor> x = inputs(shape);
    x.emplace_back(shape);  // larger than what it is added to: far from the kink
    for (Index i = 0; i < shape.size(); ++i) x[3][i] = (i % 3 == 1 ? Real(-20) : Real(20)) + i % 2;
    test::gradcheck(rectified(shape[-1], false, true), x);
    const std::vector<bool> checked = {shape.size() / shape[-1] > 2, true, true, true};
    test::gradcheck(rectified(shape[-1], true, true), x, 1e-6, checked);
  }
}

TEST_CASE("batch_norm: an addend and relu give the bits of add and relu") {
  for (const Shape& shape :
       {Shape{5, 3}, Shape{2, 3, 3, 1}, Shape{3, 5, 7, 16}, Shape{2, 9, 9, 37}})
    for (const bool batch_statistics : {true, false}) {
      std::vector<Tensor> x = inputs(shape);
      const auto in_one = rectified(shape[-1], batch_statistics, true);
      const auto in_three = rectified(shape[-1], batch_statistics, false);
      CHECK(bits(in_one, x) == bits(in_three, x));
      x.push_back(test::normal(shape, 4));
      CHECK(bits(in_one, x) == bits(in_three, x));
    }
}

TEST_CASE("batch_norm: an addend without relu") {
  std::vector<Tensor> x = inputs({5, 3});
  x.push_back(test::normal({5, 3}, 4));
  const auto with = [](std::span<const Var> v) {
    op::BatchNormState state = fresh(3);
    return op::batch_norm(v[0], v[1], v[2], state, training, v[3]);
  };
  test::gradcheck(with, x);
}

TEST_CASE("batch_norm: a gradient that another holds is left alone") {
  // The result is added to itself, so both of its gradients are one tensor.
  std::vector<Tensor> x = inputs({5, 3});
  x.push_back(test::normal({5, 3}, 4));
  const auto twice = [](bool in_one) {
    return [f = rectified(3, true, in_one)](std::span<const Var> v) {
      const Var y = f(v), z = op::relu(v[3]);
      return op::mul(op::add(y, z), op::add(op::add(y, y), z));
    };
  };
  CHECK(bits(twice(true), x) == bits(twice(false), x));
}

TEST_CASE("batch_norm: by hand") {
  // Channel 0: 1, 3 (mean 2, variance 1); channel 1: 0, 8 (mean 4, variance 16).
  const Var x(Tensor({2, 2}, std::array<Real, 4>{1, 0, 3, 8}));
  const Var gamma(Tensor({2}, std::array<Real, 2>{10, -1}));
  const Var beta(Tensor({2}, std::array<Real, 2>{0, 5}));
  op::BatchNormState state{Tensor({2}, Real(0)), Tensor({2}, Real(1))};
  op::BatchNormOptions options{Real(1e-12), Real(0.25), true};
  const Tensor y = op::batch_norm(x, gamma, beta, state, options).value();
  test::check_close(y, Tensor({2, 2}, std::array<Real, 4>{-10, 6, 10, 4}), 1e-6, 0);
  // Running: a quarter of the way to mean (2, 4) and unbiased variance (2, 32).
  test::check_close(state.mean, Tensor({2}, std::array<Real, 2>{0.5, 1}), 1e-6, 0);
  test::check_close(state.variance, Tensor({2}, std::array<Real, 2>{1.25, 8.75}), 1e-6, 0);
}

TEST_CASE("batch_norm: running statistics are used, not changed, in evaluation") {
  op::BatchNormState state{Tensor({1}, Real(3)), Tensor({1}, Real(4))};
  const Var x(Tensor({1, 1}, Real(7))), gamma(Tensor({1}, Real(5))), beta(Tensor({1}, Real(-1)));
  op::BatchNormOptions options;
  options.epsilon = Real(1e-12);
  const Tensor y = op::batch_norm(x, gamma, beta, state, options).value();
  CHECK(double(y[0]) == doctest::Approx(9).epsilon(1e-6));  // 5 (7 - 3) / 2 - 1
  CHECK(state.mean[0] == 3);
  CHECK(state.variance[0] == 4);
}

TEST_CASE("batch_norm: the state is updated in its own storage") {
  op::BatchNormState state = fresh(3);
  const Real* storage = state.mean.data();
  const auto x = inputs({5, 3});
  op::batch_norm(Var(x[0]), Var(x[1]), Var(x[2]), state, training);
  CHECK(state.mean.data() == storage);
}

TEST_CASE("batch_norm: a mean far from zero costs no precision") {
  const Index n = 20'000;
  Tensor x({n, 1});
  for (Index i = 0; i < n; ++i) x[i] = Real(4096) + Real(i % 2);  // variance 1/4, exactly
  op::BatchNormState state{Tensor({1}, Real(0)), Tensor({1}, Real(1))};
  const op::BatchNormOptions options{Real(1e-12), 1, true};
  const Var one(Tensor({1}, Real(1))), zero(Tensor({1}, Real(0)));
  const Tensor y = op::batch_norm(Var(x), one, zero, state, options).value();
  CHECK(double(y[0]) == doctest::Approx(-1).epsilon(1e-3));
  CHECK(double(y[1]) == doctest::Approx(1).epsilon(1e-3));
  CHECK(double(state.variance[0]) ==
        doctest::Approx(0.25 * double(n) / double(n - 1)).epsilon(1e-5));
}

TEST_CASE("batch_norm: attributes in evaluation are what lowering folds") {
  Tape tape(Tape::Records::graph);
  op::BatchNormState state = fresh(3);
  const auto mean = test::numbers(state.mean), variance = test::numbers(state.variance);
  const auto x = inputs({5, 3});
  op::batch_norm(Var(x[0]), Var(x[1]), Var(x[2]), state, {Real(0.125), Real(0.1), false});
  state.mean.fill(0);  // a graph keeps what it was recorded with
  const Attributes attributes = tape.nodes()[0]->attributes();
  CHECK(test::numbers(attributes.get<Tensor>("mean")) == mean);
  CHECK(test::numbers(attributes.get<Tensor>("variance")) == variance);
  CHECK(attributes.get<double>("epsilon") == 0.125);
  CHECK(attributes.get<Index>("batch_statistics") == 0);
}

TEST_CASE("batch_norm: as PyTorch") {
  const auto batch = [](std::span<const Var> x) {
    op::BatchNormState state = fresh(x[1].shape()[0]);
    return op::batch_norm(x[0], x[1], x[2], state, training);
  };
  const auto running = [](std::span<const Var> x) {
    op::BatchNormState state{x[3].value(), x[4].value()};
    return op::batch_norm(x[0], x[1], x[2], state);
  };
  test::as_pytorch("batch_norm/batch", batch, 1e-5, 1e-5);
  test::as_pytorch("batch_norm/running", running, 1e-5, 1e-5);
}

TEST_CASE("batch_norm: same bits for any number of threads") {
  test::same_bits_for_any_threads(norm(7, true), inputs({13, 19, 23, 7}));
  test::same_bits_for_any_threads(norm(7, false), inputs({13, 19, 23, 7}));
  std::vector<Tensor> x = inputs({13, 19, 23, 7});
  test::same_bits_for_any_threads(rectified(7, true, true), x);
  x.push_back(test::normal(x[0].shape(), 4));
  test::same_bits_for_any_threads(rectified(7, true, true), x);
}

TEST_CASE("batch_norm: what does not fit is refused") {
  op::BatchNormState state = fresh(3);
  const auto with = [&](const Shape& x, const Shape& gamma, op::BatchNormOptions options) {
    op::batch_norm(Var(Tensor(x, Real(0))), Var(Tensor(gamma, Real(1))), Var(Tensor({3}, Real(0))),
                   state, options);
  };
  CHECK_THROWS_WITH_AS(with({}, {3}, {}), "[batch_norm] no channels: got x []; expected x[..., C]",
                       Error);
  CHECK_THROWS_WITH_AS(with({5, 3}, {4}, {}),
                       "[batch_norm] channels differ: got gamma [4], beta [3], mean [3], variance "
                       "[3]; expected [3] for x [5, 3]",
                       Error);
  CHECK_THROWS_WITH_AS(
      op::batch_norm(Var(Tensor({5, 3}, Real(0))), Var(Tensor({3}, Real(1))),
                     Var(Tensor({3}, Real(0))), state, {}, Var(Tensor({1, 3}, Real(0)))),
      "[batch_norm] shapes differ: got addend [1, 3]; expected [5, 3] as x has", Error);
  CHECK_THROWS_WITH_AS(with({5, 3}, {3}, {0, Real(0.1), false}),
                       "[batch_norm] epsilon is not positive: got 0; expected more than 0", Error);
  CHECK_THROWS_WITH_AS(with({1, 3}, {3}, training),
                       "[batch_norm] no variance in one value per channel: got x [1, 3]; expected "
                       "at least two; try a larger batch",
                       Error);
}

}  // namespace fraqat::batch_norm_test
