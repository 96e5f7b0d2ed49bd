#include <cmath>

#include "tests/support/golden.hpp"
#include "tests/support/op_test.hpp"

namespace fraqat::dropout_test {
namespace {

constexpr TrainingStep::Position position{42, 3, 17};

// A step of its own per call, so that every call draws the same mask.
Var drop(std::span<const Var> x) {
  TrainingStep step(position);
  return op::dropout(x[0], Real(0.3));
}

}  // namespace

TEST_CASE("dropout: gradient under a fixed mask") {
  for (const Shape& shape : test::odd_shapes) test::gradcheck(drop, {test::normal(shape)});
}

TEST_CASE("dropout: the identity outside a training step, recording nothing") {
  Tape tape(Tape::Records::graph);
  const Var x(test::normal({3, 5}), true);
  CHECK(op::dropout(x, Real(0.5)).id() == x.id());
  TrainingStep re_estimation(position, false);
  CHECK(op::dropout(x, Real(0.5)).id() == x.id());
  CHECK(tape.nodes().empty());
}

TEST_CASE("dropout: mask from Philox at (epoch, step, sample, element block)") {
  const Shape shape{3, 2, 3, 1};  // six elements a sample: a block and a half
  const Real p = Real(0.4);
  TrainingStep step(position);
  const Tensor y = op::dropout(Var(Tensor(shape, Real(1))), p).value();
  const Philox generator(position.seed, Stream::dropout, 1);  // first user of the step
  for (std::uint32_t n = 0; n < 3; ++n)
    for (std::uint32_t i = 0; i < 6; ++i) {
      const Philox::Block bits = generator({position.epoch, position.step, n, i / 4});
      const Real expected = Real(uniform(bits[i % 4])) < p ? Real(0) : 1 / (1 - p);
      CHECK(y[Index(6 * n + i)] == expected);
    }
}

TEST_CASE("dropout: two users of one step, and two steps, draw different masks") {
  const Var x(Tensor({4, 32}, Real(1)));
  TrainingStep step(position);
  const auto first = test::numbers(op::dropout(x, Real(0.5)).value());
  const auto second = test::numbers(op::dropout(x, Real(0.5)).value());
  TrainingStep next({position.seed, position.epoch, position.step + 1});
  const auto third = test::numbers(op::dropout(x, Real(0.5)).value());
  CHECK(first != second);
  CHECK(first != third);
}

TEST_CASE("dropout: share of zeros and the mean") {
  const Index n = 100'000;
  TrainingStep step(position);
  const Tensor y = op::dropout(Var(Tensor({100, n / 100}, Real(1))), Real(0.3)).value();
  Index zeros = 0;
  double sum = 0;
  for (const Real v : y.span()) {
    zeros += v == 0;
    sum += double(v);
  }
  const double deviation = std::sqrt(0.3 * 0.7 / double(n));
  CHECK(std::abs(double(zeros) / double(n) - 0.3) < 5 * deviation);
  CHECK(std::abs(sum / double(n) - 1) < 5 * deviation / 0.7);
}

TEST_CASE("dropout: p = 0 keeps everything") {
  TrainingStep step(position);
  const Var x(test::normal({3, 5}));
  CHECK(test::numbers(op::dropout(x, 0).value()) == test::numbers(x.value()));
}

TEST_CASE("dropout: same bits for any number of threads") {
  test::same_bits_for_any_threads(drop, {test::normal({37, 1021})});
}

TEST_CASE("dropout: impossible probabilities are refused") {
  const Var x(Tensor({1}, Real(0)));
  CHECK_THROWS_WITH_AS(op::dropout(x, 1),
                       "[dropout] impossible probability: got p = 1; expected 0 <= p < 1", Error);
  CHECK_THROWS_WITH_AS(op::dropout(x, Real(-0.5)),
                       "[dropout] impossible probability: got p = -0.5; expected 0 <= p < 1",
                       Error);
  CHECK_THROWS_AS(op::dropout(x, Real(NAN)), Error);
}

TEST_CASE("dropout: as PyTorch, under a mask of somebody else's Philox") {
  test::as_pytorch("dropout/all", drop);
}

}  // namespace fraqat::dropout_test
