#include "tests/support/losses.hpp"

namespace fraqat::test {
namespace {

Function on(const Loss& loss, const Tensor& targets) {
  return [=](std::span<const Var> x) { return loss.f(x[0], targets); };
}

void check_values(const Loss& loss) {
  const Tensor x = loss.inputs({37, 11}), t = loss.targets({37, 11});
  double expected = 0;
  for (Index i = 0; i < x.size(); ++i) expected += loss.naive(double(x[i]), double(t[i]));
  CHECK(double(loss.f(Var(x), t).value().item()) ==
        doctest::Approx(expected / loss.count(x.shape())).epsilon(1e-5));
}

}  // namespace

void check_loss(const std::string& name, const Loss& loss) {
  check_values(loss);
  for (const Shape& shape : odd_shapes)
    if (shape.rank() > 0) gradcheck(on(loss, loss.targets(shape)), {loss.inputs(shape)});
  same_bits_for_any_threads(on(loss, loss.targets({37, 1021})), {loss.inputs({37, 1021})});
  const std::string text =
      "[" + name + "] shapes differ: got [2, 3] and targets [2]; expected equal shapes";
  CHECK_THROWS_WITH_AS(loss.f(Var(Tensor({2, 3}, Real(0))), Tensor({2}, Real(0))), text.c_str(),
                       Error);
  as_pytorch(name + "/all", [&](std::span<const Var> x) { return loss.f(x[0], x[1].value()); });
}

}  // namespace fraqat::test
