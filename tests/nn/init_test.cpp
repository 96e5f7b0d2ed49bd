#include "nn/init.hpp"

#include <doctest/doctest.h>

#include <cmath>

namespace fraqat::init_test {
namespace {

struct Moments {
  double mean = 0, variance = 0, largest = 0;
};

Moments moments(const Tensor& t) {
  Moments m;
  const double n = double(t.size());
  for (const Real v : t.span()) {
    m.mean += double(v) / n;
    m.largest = std::max(m.largest, std::abs(double(v)));
  }
  for (const Real v : t.span()) m.variance += (double(v) - m.mean) * (double(v) - m.mean) / n;
  return m;
}

// Uniform in +-bound: inside, close to the ends, variance bound^2 / 3.
void check_uniform(const Tensor& t, double bound) {
  const Moments m = moments(t);
  const double n = double(t.size());
  CHECK(m.largest <= bound * (1 + 1e-6));
  CHECK(m.largest > bound * 0.999);
  CHECK(std::abs(m.mean) < 5 * bound / std::sqrt(3 * n));
  CHECK(m.variance == doctest::Approx(bound * bound / 3).epsilon(0.02));
}

const Shape shape{200, 300};

}  // namespace

TEST_CASE("init: Kaiming uniform is bounded by sqrt(6 / ((1 + a^2) fan_in))") {
  nn::Initializer init(1);
  check_uniform(init.kaiming_uniform(shape, 300), std::sqrt(6.0 / 300));
  check_uniform(init.kaiming_uniform(shape, 300, std::sqrt(5.0)), 1 / std::sqrt(300.0));
}

TEST_CASE("init: Xavier uniform is bounded by sqrt(6 / (fan_in + fan_out))") {
  check_uniform(nn::Initializer(1).xavier_uniform(shape, 300, 200), std::sqrt(6.0 / 500));
}

TEST_CASE("init: Kaiming normal has variance 2 / fan_in") {
  const Moments m = moments(nn::Initializer(1).kaiming_normal(shape, 300));
  CHECK(std::abs(m.mean) < 5 * std::sqrt(2.0 / 300 / 60'000));
  CHECK(m.variance == doctest::Approx(2.0 / 300).epsilon(0.03));
}

TEST_CASE("init: the seed decides, and no tensor repeats another") {
  const auto first = [](nn::Initializer init) { return init.uniform({4}, 0, 1); };
  const Tensor a = first(nn::Initializer(1)), b = first(nn::Initializer(1));
  const Tensor c = first(nn::Initializer(2));
  CHECK(std::equal(a.span().begin(), a.span().end(), b.span().begin()));
  CHECK(a[0] != c[0]);
  nn::Initializer init(1);
  const Tensor one = init.uniform({4}, 0, 1), two = init.uniform({4}, 0, 1);
  CHECK(one[0] == a[0]);
  CHECK(two[0] != a[0]);
}

}  // namespace fraqat::init_test
