#include <cmath>

#include "tests/support/elementwise.hpp"

namespace fraqat::log_test {
namespace {

const test::Unary subject{
    .f = op::log,
    .naive = [](double x) { return std::log(x); },
    .low = Real(0.2),
};

}  // namespace

TEST_CASE("log: values, gradient, threads") { test::check_unary(subject); }

TEST_CASE("log: as PyTorch") { test::unary_as_pytorch("log", subject); }

TEST_CASE("log: at its border") {
  test::check_points(op::log, {{1, 0, 1},
                               {0, -test::inf, test::inf},
                               {test::inf, test::inf, 0},
                               {-2, test::nan, -Real(0.5)}});
}

}  // namespace fraqat::log_test
