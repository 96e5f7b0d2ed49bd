#include <cmath>

#include "tests/support/elementwise.hpp"

namespace fraqat::pow_test {
namespace {

const test::Binary subject{
    .f = [](const Var& x, const Var& e) { return op::pow(x, e); },
    .naive = [](double x, double e) { return std::exp(e * std::log(x)); },
    .a = [](const Shape& shape,
            std::uint64_t seed) { return test::uniform(shape, Real(0.5), 3, seed); },
    .b = [](const Shape& shape, std::uint64_t seed) { return test::uniform(shape, -3, 3, seed); },
};

}  // namespace

TEST_CASE("pow: values, gradients, threads, errors") { test::check_binary("pow", subject); }

TEST_CASE("pow: as PyTorch") { test::binary_as_pytorch("pow", subject); }

TEST_CASE("pow: a whole exponent, of both signs of x") {
  const test::Unary cube{.f = [](const Var& x) { return op::pow(x, 3); },
                         .naive = [](double x) { return x * x * x; }};
  test::check_unary(cube);
  test::as_pytorch("pow/cube", [](std::span<const Var> x) { return op::pow(x[0], 3); });
  const test::Unary inverse{.f = [](const Var& x) { return op::pow(x, -Real(0.5)); },
                            .naive = [](double x) { return 1 / std::sqrt(x); },
                            .low = Real(0.5)};
  test::check_unary(inverse);
  test::as_pytorch("pow/inverse", [](std::span<const Var> x) { return op::pow(x[0], -Real(0.5)); });
}

TEST_CASE("pow: x = 0 and the exponent 0") {
  const auto power = [](Real e) { return [e](const Var& x) { return op::pow(x, e); }; };
  test::check_points(power(0), {{0, 1, 0}, {-2, 1, 0}});
  test::check_points(power(1), {{0, 0, 1}});
  test::check_points(power(2), {{0, 0, 0}, {-3, 9, -6}});
  test::check_points(power(Real(0.5)), {{0, 0, test::inf}});
  const auto of_zero = [](const Var& e) { return op::pow(Var(Tensor({1}, Real(0))), e); };
  test::check_points(of_zero, {{0, 1, 0}, {2, 0, 0}});
}

TEST_CASE("pow: a negative x has no power that is not whole") {
  test::check_points([](const Var& x) { return op::pow(x, Real(0.5)); },
                     {{-1, test::nan, test::nan}});
  const auto of_minus_two = [](const Var& e) { return op::pow(Var(Tensor({1}, Real(-2))), e); };
  test::check_points(of_minus_two, {{2, 4, test::nan}});
}

}  // namespace fraqat::pow_test
