#include <doctest/doctest.h>

#include <array>
#include <limits>

#include "optim/optimizer.hpp"

namespace fraqat::clip_test {

using namespace fraqat::optim;

namespace {

Var with_gradient(std::initializer_list<float> values, std::string name) {
  const Shape shape{static_cast<Index>(values.size())};
  Var v(Tensor(shape, 0.0f), true);
  v.grad() = Tensor(shape, std::span(values.begin(), values.size()));
  v.set_name(std::move(name));
  return v;
}

}  // namespace

TEST_CASE("clip by norm: 3-4-12 makes 13, and the direction stays") {
  const std::vector<Var> vars = {with_gradient({3, 4}, "a"), Var(Tensor({1}, 0.0f), true),
                                 with_gradient({12}, "b")};
  CHECK(clip_gradients_by_norm(vars, 100) == 13);
  CHECK(vars[0].grad()[1] == 4);
  CHECK(clip_gradients_by_norm(vars, 6.5) == 13);
  CHECK(vars[0].grad()[0] == 1.5f);
  CHECK(vars[0].grad()[1] == 2);
  CHECK(vars[2].grad()[0] == 6);
  CHECK_FALSE(vars[1].grad());
}

TEST_CASE("clip by norm: groups, and squares beyond the range of float") {
  const Var a = with_gradient({3e30f}, "a"), b = with_gradient({4e30f}, "b");
  const std::vector<ParameterGroup> groups = {{{a}}, {{b}}};
  CHECK(clip_gradients_by_norm(groups, 1) == doctest::Approx(5e30));
  CHECK(a.grad()[0] == doctest::Approx(0.6));
  CHECK(b.grad()[0] == doctest::Approx(0.8));
}

TEST_CASE("clipping: a tensor shared by two gradients is not changed twice") {
  const Var a = with_gradient({30}, "a");
  Var b(Tensor({1}, 0.0f), true);
  b.grad() = a.grad();
  CHECK(clip_gradients_by_norm(std::vector<Var>{a, b}, 0.1) == doctest::Approx(42.4264069));
  CHECK(a.grad()[0] == b.grad()[0]);
  CHECK(a.grad()[0] == doctest::Approx(0.1 / 1.41421356));
}

TEST_CASE("clip by value") {
  const Var a = with_gradient({-3, -0.5f, 0.25f, 7}, "a");
  clip_gradients_by_value(std::vector<Var>{a}, 0.5);
  const std::array expected = {-0.5f, -0.5f, 0.25f, 0.5f};
  for (Index i = 0; i < 4; ++i) CHECK(a.grad()[i] == expected[static_cast<std::size_t>(i)]);
}

TEST_CASE("clipping: what is not finite is reported by name") {
  using Limits = std::numeric_limits<float>;
  for (const float bad : {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity()}) {
    const std::vector<Var> vars = {with_gradient({1}, "good"), with_gradient({1, bad}, "conv.bad")};
    const auto names_it = doctest::Contains("the gradient of \"conv.bad\" is not finite");
    CHECK_THROWS_WITH_AS(clip_gradients_by_norm(vars, 1), names_it, Error);
    CHECK_THROWS_WITH_AS(clip_gradients_by_value(vars, 1), names_it, Error);
  }
  const std::vector<Var> fine = {with_gradient({1}, "a")};
  CHECK_THROWS_AS(clip_gradients_by_norm(fine, 0), Error);
  CHECK_THROWS_AS(clip_gradients_by_norm(fine, Limits::quiet_NaN()), Error);
  CHECK_THROWS_AS(clip_gradients_by_value(fine, -1), Error);
}

}  // namespace fraqat::clip_test
