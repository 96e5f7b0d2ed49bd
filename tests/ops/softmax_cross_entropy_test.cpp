#include <cmath>
#include <limits>

#include "tests/support/golden.hpp"

namespace fraqat::softmax_cross_entropy_test {
namespace {

Tensor labels(Index n, Index classes) {
  Tensor t({n});
  for (Index i = 0; i < n; ++i) t[i] = Real((3 * i + 1) % classes);
  return t;
}

test::Function loss(Index n, Index classes, Real smoothing) {
  return [=](std::span<const Var> z) {
    return op::softmax_cross_entropy(z[0], labels(n, classes), smoothing);
  };
}

// Rows that need not sum to 1: nothing is assumed of them.
Tensor distributions(Index n, Index classes) { return test::uniform({n, classes}, 0, 1, 5); }

test::Function soft_loss(Index n, Index classes, Real smoothing) {
  return [=](std::span<const Var> z) {
    return op::softmax_cross_entropy(z[0], distributions(n, classes), smoothing);
  };
}

// Straight from the definition: -mean of sum t log p.
double naive(const Tensor& z, const Tensor& target, double smoothing) {
  const Index classes = z.dim(1);
  double total = 0;
  for (Index n = 0; n < z.dim(0); ++n) {
    double sum = 0;
    for (Index c = 0; c < classes; ++c) sum += std::exp(double(z[n * classes + c]));
    for (Index c = 0; c < classes; ++c) {
      const double given =
          target.rank() == 2 ? double(target[n * classes + c]) : double(Index(target[n]) == c);
      const double t = (1 - smoothing) * given + smoothing / double(classes);
      total -= t * std::log(std::exp(double(z[n * classes + c])) / sum);
    }
  }
  return total / double(z.dim(0));
}

}  // namespace

TEST_CASE("softmax_cross_entropy: gradient, with and without smoothing") {
  for (const auto& [n, classes] : {std::array<Index, 2>{1, 1}, {1, 10}, {7, 1}, {5, 3}, {3, 17}})
    for (const Real smoothing : {Real(0), Real(0.1)}) {
      test::gradcheck(loss(n, classes, smoothing), {test::normal({n, classes})});
      test::gradcheck(soft_loss(n, classes, smoothing), {test::normal({n, classes})});
    }
}

TEST_CASE("softmax_cross_entropy: against the definition") {
  const Tensor z = test::normal({37, 10});
  for (const double smoothing : {0.0, 0.1, 0.9})
    for (const Tensor& target : {labels(37, 10), distributions(37, 10)})
      CHECK(double(op::softmax_cross_entropy(Var(z), target, Real(smoothing)).value().item()) ==
            doctest::Approx(naive(z, target, smoothing)).epsilon(1e-6));
}

TEST_CASE("softmax_cross_entropy: equal logits cost log C; gradient (p - t) / N") {
  Tape tape;
  const Var z(Tensor({2, 4}, Real(3)), true);
  const Var y = op::softmax_cross_entropy(z, Tensor({2}, std::array<Real, 2>{1, 3}));
  CHECK(double(y.value().item()) == doctest::Approx(std::log(4.0)).epsilon(1e-6));
  tape.backward(y);
  CHECK(test::numbers(z.grad()) ==
        std::vector<Real>{0.125, -0.375, 0.125, 0.125, 0.125, 0.125, 0.125, -0.375});
}

TEST_CASE("softmax_cross_entropy: far apart logits stay finite") {
  const Tensor z({2, 2}, std::array<Real, 4>{1000, -1000, -1000, 1000});
  const Var right = op::softmax_cross_entropy(Var(z), Tensor({2}, std::array<Real, 2>{0, 1}));
  const Var wrong = op::softmax_cross_entropy(Var(z), Tensor({2}, std::array<Real, 2>{1, 0}));
  CHECK(right.value().item() == 0);
  CHECK(wrong.value().item() == 2000);
  const Var soft = op::softmax_cross_entropy(
      Var(z), Tensor({2, 2}, std::array<Real, 4>{0.75, 0.25, 0.25, 0.75}));
  CHECK(soft.value().item() == 500);
}

TEST_CASE("softmax_cross_entropy: a class that is masked costs nothing unless it is wanted") {
  constexpr Real masked = -std::numeric_limits<Real>::infinity();
  const Tensor z({1, 3}, std::array<Real, 3>{1, masked, 2}), label({1}, Real(0));
  const Tensor soft({1, 3}, std::array<Real, 3>{1, 0, 0});
  for (const Tensor& targets : {label, soft}) {
    Tape tape;
    const Var x(z.clone(), true);
    const Var y = op::softmax_cross_entropy(x, targets);
    CHECK(double(y.value().item()) == doctest::Approx(std::log1p(std::exp(1.0))).epsilon(1e-6));
    tape.backward(y);
    CHECK(double(x.grad()[0]) == doctest::Approx(-1 / (1 + std::exp(-1.0))).epsilon(1e-6));
    CHECK(x.grad()[1] == 0);
    CHECK(op::softmax_cross_entropy(x, targets, Real(0.1)).value().item() == -masked);
  }
}

TEST_CASE("softmax_cross_entropy: same bits for any number of threads") {
  test::same_bits_for_any_threads(loss(3001, 10, Real(0.1)), {test::normal({3001, 10})});
  test::same_bits_for_any_threads(soft_loss(3001, 10, Real(0.1)), {test::normal({3001, 10})});
}

TEST_CASE("softmax_cross_entropy: as PyTorch") {
  for (const char* golden : {"labels", "soft"})
    test::as_pytorch(std::string("softmax_cross_entropy/") + golden, [](std::span<const Var> x) {
      return op::softmax_cross_entropy(x[0], x[1].value());
    });
  for (const char* golden : {"labels-smoothed", "soft-smoothed"})
    test::as_pytorch(std::string("softmax_cross_entropy/") + golden, [](std::span<const Var> x) {
      return op::softmax_cross_entropy(x[0], x[1].value(), Real(0.1));
    });
}

TEST_CASE("softmax_cross_entropy: bad labels and sizes are refused") {
  const Var z(Tensor({3, 4}, Real(0)));
  const auto with = [&](Real a, Real b, Real c) {
    return op::softmax_cross_entropy(z, Tensor({3}, std::array<Real, 3>{a, b, c}));
  };
  CHECK_THROWS_WITH_AS(with(0, 1, 4),
                       "[softmax_cross_entropy] impossible label at index 2: got 4; expected a "
                       "whole number in [0, 4)",
                       Error);
  CHECK_THROWS_WITH_AS(with(0, Real(1.5), 0),
                       "[softmax_cross_entropy] impossible label at index 1: got 1.5; expected a "
                       "whole number in [0, 4)",
                       Error);
  CHECK_THROWS_AS(with(-1, 0, 0), Error);
  CHECK_THROWS_AS(with(Real(NAN), 0, 0), Error);
  CHECK_THROWS_WITH_AS(
      op::softmax_cross_entropy(z, Tensor({2}, Real(0))),
      "[softmax_cross_entropy] wrong targets: got [2]; expected labels [3] or distributions [3, 4]",
      Error);
  CHECK_THROWS_AS(op::softmax_cross_entropy(z, Tensor({4, 3}, Real(0))), Error);
  CHECK_THROWS_WITH_AS(op::softmax_cross_entropy(z, Tensor({3}, Real(0)), 1),
                       "[softmax_cross_entropy] impossible smoothing: got 1; expected 0 <= "
                       "smoothing < 1",
                       Error);
  CHECK_THROWS_WITH_AS(op::softmax_cross_entropy(Var(Tensor({3}, Real(0))), Tensor({3}, Real(0))),
                       "[softmax_cross_entropy] no rows of logits: got [3]; expected logits[n, "
                       "classes], neither 0",
                       Error);
}

}  // namespace fraqat::softmax_cross_entropy_test
