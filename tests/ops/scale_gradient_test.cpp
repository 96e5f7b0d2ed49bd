#include "quant/ops.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/op_test.hpp"

namespace fraqat::scale_gradient_test {

namespace {

Tensor factors(const Shape& shape) {
  Tensor f(shape);
  for (Index i = 0; i < f.size(); ++i) f[i] = Real(i) / 4 - Real(0.5);
  return f;
}

}  // namespace

TEST_CASE("scale_gradient: the identity, its gradient times the factors") {
  for (const Shape& shape : {Shape{1, 1}, Shape{3, 5}}) {
    const Tensor f = factors(shape), x = test::normal(shape);
    test::surrogate_check(
        "scale_gradient", [=](std::span<const Var> in) { return op::scale_gradient(in[0], f); },
        {x},
        [=](std::span<const Tensor>, const Tensor& dy) {
          Tensor dx(dy.shape());
          for (Index i = 0; i < dx.size(); ++i) dx[i] = dy[i] * f[i];
          return std::vector<Tensor>{dx};
        });
    CHECK(test::numbers(op::scale_gradient(Var(x), f).value()) == test::numbers(x));
  }
}

TEST_CASE("scale_gradient: same bits for any number of threads") {
  test::same_bits_for_any_threads(
      [](std::span<const Var> in) {
        return op::scale_gradient(in[0], factors({2, 3}));
      },
      {test::normal({2, 3})});
}

TEST_CASE("scale_gradient: factors of another shape are refused") {
  CHECK_THROWS_WITH_AS(op::scale_gradient(Var(Tensor({3}, Real(0))), Tensor({2}, Real(1))),
                       "[scale_gradient] one factor for each element: got x [3] and factor [2]; "
                       "expected the same shape",
                       Error);
}

TEST_CASE("scale_gradient: as PyTorch") {
  test::as_pytorch("scale_gradient/all", [](std::span<const Var> in) {
    return op::scale_gradient(in[0], in[1].value());
  });
}

}  // namespace fraqat::scale_gradient_test
