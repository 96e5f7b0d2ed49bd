// The kernels of fake quantization against the one header of its arithmetic.

#include <cmath>
#include <vector>

#include "core/random.hpp"
#include "quant/grid.hpp"
#include "tests/core/every_isa.hpp"

namespace fraqat::levels_test {

using kernels::Level;
using kernels::LevelSums;

namespace {

struct Case {
  Level level;
  std::vector<float> x, dy, y;
};

/// Lengths 0 to 99, every coding, with and without a zero-point or relu; many x at ties,
/// beyond the ends and 0.
Case random_case(std::uint32_t number) {
  const Philox draw(number, Stream::synthetic);
  const Philox::Block r = draw({0, 0, 0, 0});
  const bool binary = number % 7 == 0;
  const quant::Grid grid =
      binary ? quant::grid_of(quant::Coding::symmetric, 1)
             : quant::grid_of(static_cast<quant::Coding>(r[0] % 3), static_cast<int>(2 + r[1] % 7));
  const auto zero = binary ? 0.0f : static_cast<float>(r[2] % 5);
  const float scale = number % 2 ? 0.25f : 0.1f + uniform(r[3]);
  Case c{{scale, static_cast<float>(grid.lo) - zero, static_cast<float>(grid.hi) - zero,
          number % 3 ? 1.0f : uniform(draw({0, 0, 0, 1})[0]), binary, !binary && number % 5 == 0},
         {},
         {},
         {}};
  for (std::uint32_t i = 0; i < r[0] % 100; ++i) {
    const Philox::Block s = draw({0, 0, 1, i});
    const float wide = static_cast<float>(grid.hi - grid.lo) * scale;
    c.x.push_back(number % 2 ? static_cast<float>(static_cast<int>(s[0] % 81) - 40) / 8
                             : (uniform(s[0]) - 0.5f) * 2 * wide);
    c.dy.push_back(uniform(s[1]) - 0.5f);
    c.y.push_back(uniform(s[2]));
  }
  return c;
}

float number(const Case& c, std::size_t i) {
  return c.level.relu ? std::max(c.x[i], 0.0f) : c.x[i];
}

float code(const Case& c, std::size_t i) {
  if (c.level.binary) return std::signbit(c.x[i]) && c.x[i] != 0 ? -1.0f : 1.0f;
  return quant::centred_code(number(c, i), c.level.scale, c.level.lo, c.level.hi);
}

bool inside(const Case& c, std::size_t i) {
  const float u = number(c, i) / c.level.scale;
  return u >= c.level.lo && u <= c.level.hi;
}

void check_forward(const kernels::Table& table, const Case& c) {
  const auto n = static_cast<Index>(c.x.size());
  std::vector<float> plain(c.x.size() + 1, 7), added = c.y;
  table.levels.forward(c.level, false, c.x.data(), plain.data(), n);
  table.levels.forward(c.level, true, c.x.data(), added.data(), n);
  for (std::size_t i = 0; i < c.x.size(); ++i) {
    const float level = c.level.scale * code(c, i);
    if (c.level.weight == 1)
      CHECK(plain[i] == level);  // to the bit, on every instruction set
    else
      CHECK(plain[i] == doctest::Approx(c.level.weight * level));
    CHECK(added[i] == doctest::Approx(c.y[i] + c.level.weight * level));
  }
  CHECK(plain.back() == 7);
}

void check_backward(const kernels::Table& table, const Case& c) {
  const auto n = static_cast<Index>(c.x.size());
  std::vector<float> dx(c.x.size() + 1, 7), added = c.y, over = c.dy;
  LevelSums sums{}, same{}, without{}, in_place{};
  table.levels.backward(c.level, false, c.x.data(), c.dy.data(), dx.data(), n, sums);
  table.levels.backward(c.level, true, c.x.data(), c.dy.data(), added.data(), n, same);
  table.levels.backward(c.level, false, c.x.data(), c.dy.data(), nullptr, n, without);
  table.levels.backward(c.level, false, c.x.data(), over.data(), over.data(), n, in_place);
  double value = 0, slope = 0, zero = 0, size = 1;
  for (std::size_t i = 0; i < c.x.size(); ++i) {
    const double u = double(number(c, i) / c.level.scale), q = double(code(c, i));
    value += double(c.dy[i]) * double(c.level.scale) * q;
    slope += double(c.level.weight) * double(c.dy[i]) * (inside(c, i) ? q - u : q);
    if (!inside(c, i)) zero -= double(c.level.weight * c.level.scale) * double(c.dy[i]);
    size += std::abs(double(c.dy[i]) * q);
    const bool passes = inside(c, i) && (!c.level.relu || c.x[i] > 0);
    const float g = passes ? c.level.weight * c.dy[i] : 0;
    CHECK(dx[i] == g);
    CHECK(over[i] == g);
    CHECK(added[i] == doctest::Approx(c.y[i] + g));
  }
  CHECK(dx.back() == 7);
  CHECK(std::abs(double(sums.value) - value) <= 1e-5 * size);
  CHECK(std::abs(double(sums.slope) - slope) <= 1e-5 * size);
  CHECK(std::abs(double(sums.zero) - zero) <= 1e-5 * size);
  for (const LevelSums& other : {same, without, in_place}) {
    CHECK(std::abs(double(other.zero) - zero) <= 1e-5 * size);
    CHECK(std::abs(double(other.value) - value) <= 1e-5 * size);
    CHECK(std::abs(double(other.slope) - slope) <= 1e-5 * size);
  }
}

}  // namespace

TEST_CASE("levels: both ways equal the definition") {
  test::on_every_isa([](const kernels::Table& table) {
    for (std::uint32_t number = 1; number <= 300; ++number) {
      const Case c = random_case(number);
      check_forward(table, c);
      check_backward(table, c);
    }
  });
}

}  // namespace fraqat::levels_test
