#include <cmath>

#include "tests/support/losses.hpp"

namespace fraqat::binary_cross_entropy_with_logits_test {
namespace {

double term(double z, double t) {
  const double p = 1 / (1 + std::exp(-z));
  return -t * std::log(p) - (1 - t) * std::log(1 - p);
}

}  // namespace

TEST_CASE("binary_cross_entropy_with_logits: values, gradient, threads, PyTorch") {
  test::check_loss("binary_cross_entropy_with_logits",
                   {.f = op::binary_cross_entropy_with_logits,
                    .naive = term,
                    .targets = [](const Shape& s) { return test::uniform(s, 0, 1, 2); }});
}

TEST_CASE("binary_cross_entropy_with_logits: far away logits stay finite") {
  Tape tape;
  const Var z(Tensor({4}, std::array<Real, 4>{1000, -1000, 1000, -1000}), true);
  const Var y =
      op::binary_cross_entropy_with_logits(z, Tensor({4}, std::array<Real, 4>{1, 0, 0, 1}));
  CHECK(y.value().item() == 500);
  tape.backward(y);
  CHECK(test::numbers(z.grad()) == std::vector<Real>{0, 0, 0.25, -0.25});
}

TEST_CASE("binary_cross_entropy_with_logits: targets are probabilities") {
  for (const Real bad : {Real(-0.5), Real(1.5), Real(NAN)})
    CHECK_THROWS_AS(
        op::binary_cross_entropy_with_logits(Var(Tensor({1}, Real(0))), Tensor({1}, bad)), Error);
  CHECK_THROWS_WITH_AS(
      op::binary_cross_entropy_with_logits(Var(Tensor({1}, Real(0))), Tensor({1}, Real(2))),
      "[binary_cross_entropy_with_logits] impossible target: got 2; expected 0 "
      "to 1",
      Error);
}

}  // namespace fraqat::binary_cross_entropy_with_logits_test
