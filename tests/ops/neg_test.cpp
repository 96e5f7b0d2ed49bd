#include "tests/support/elementwise.hpp"

namespace fraqat::neg_test {
namespace {

const test::Unary subject{
    .f = op::neg,
    .naive = [](double x) { return -x; },
};

}  // namespace

TEST_CASE("neg: values, gradient, threads") { test::check_unary(subject); }

TEST_CASE("neg: as PyTorch") { test::unary_as_pytorch("neg", subject); }

TEST_CASE("neg: by hand") {
  test::check_points(op::neg, {{3, -3, -1}, {-Real(0.5), Real(0.5), -1}, {0, 0, -1}});
}

}  // namespace fraqat::neg_test
