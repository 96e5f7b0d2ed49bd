#include "core/kernels/kernels.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/error.hpp"
#include "tests/core/every_isa.hpp"
#include "tests/core/kernel_numbers.hpp"

namespace fraqat::kernels_test {

// Every kernel, for every instruction set that this processor has, against the
// definition.  A set that it lacks is named on the console.
using namespace fraqat::test;

namespace {

ConvolutionShape random_shape(Dice& dice, Index lanes) {
  ConvolutionShape c{};
  c.N = dice(1, lanes);
  c.C = dice(1, 3) == 1 ? dice(1, 20) : dice(1, 6);
  c.O = dice(1, 3) == 1 ? dice(1, 20) : dice(1, 7);
  c.R = dice(1, 6);
  c.S = dice(0, 2) ? c.R : dice(1, 6);
  c.stride = dice(1, 3);
  c.top = dice(0, 3);
  c.left = dice(0, 3);
  const Index rows = c.top + dice(0, 3), columns = c.left + dice(0, 3);
  c.dilation = c.groups = 1;
  c.H = std::max(Index{1}, c.R - rows) + dice(0, 9);
  c.W = std::max(Index{1}, c.S - columns) + dice(0, 9);
  c.P = (c.H + rows - c.R) / c.stride + 1;
  c.Q = (c.W + columns - c.S) / c.stride + 1;
  return c;
}

// Calls f(y, x, weight) with the positions of every product; weight is counted
// in [R, S, C, O].
template <class F>
void each_product(const ConvolutionShape& c, F f) {
  for (Index n = 0; n < c.N; ++n)
    for (Index p = 0; p < c.P; ++p)
      for (Index q = 0; q < c.Q; ++q)
        for (Index r = 0; r < c.R; ++r)
          for (Index s = 0; s < c.S; ++s) {
            const Index h = p * c.stride - c.top + r, w = q * c.stride - c.left + s;
            if (h < 0 || h >= c.H || w < 0 || w >= c.W) continue;
            for (Index i = 0; i < c.C; ++i)
              for (Index o = 0; o < c.O; ++o)
                f(((n * c.P + p) * c.Q + q) * c.O + o, ((n * c.H + h) * c.W + w) * c.C + i,
                  ((r * c.S + s) * c.C + i) * c.O + o);
          }
}

void check_lanes_forward(const kernels::Table::Lanes& lanes, const ConvolutionShape& c,
                         Dice& dice) {
  const Numbers x = dice.numbers(size({c.N, c.H, c.W, c.C}));
  const Numbers weight = dice.numbers(size({c.R, c.S, c.C, c.O}));
  const Numbers bias = dice(0, 2) ? dice.numbers(c.O) : Numbers();
  Numbers y = guarded(size({c.N, c.P, c.Q, c.O}), -1);
  Numbers scratch = guarded(lanes.scratch(c), std::numeric_limits<float>::quiet_NaN());
  std::vector<double> expected(y.size() - guards);
  for (std::size_t i = 0; i < expected.size(); ++i)
    expected[i] = bias.empty() ? 0 : at(bias, static_cast<Index>(i) % c.O);
  each_product(c, [&](Index to, Index from, Index w) {
    expected[static_cast<std::size_t>(to)] += at(x, from) * at(weight, w);
  });
  lanes.forward(c, c.N, x.data(), weight.data(), bias.empty() ? nullptr : bias.data(), y.data(),
                scratch.data());
  CHECK(close(y, expected));
  CHECK(guard_holds(scratch));
}

void check_lanes_backward(const kernels::Table::Lanes& lanes, const ConvolutionShape& c,
                          Dice& dice) {
  const Numbers x = dice.numbers(size({c.N, c.H, c.W, c.C}));
  const Numbers dy = dice.numbers(size({c.N, c.P, c.Q, c.O}));
  const bool add = dice(0, 1) == 1;
  const float nan = std::numeric_limits<float>::quiet_NaN(), before = add ? 1 : nan;
  Numbers dweight = guarded(size({c.R, c.S, c.C, c.O}), before), dbias = guarded(c.O, before);
  Numbers scratch = guarded(lanes.scratch(c), nan);
  std::vector<double> expected(dweight.size() - guards, add),
      expected_bias(dbias.size() - guards, add);
  each_product(c, [&](Index to, Index from, Index w) {  // [R, S, C, O] to [O, R, S, C]
    const Index place = w % c.O * (c.R * c.S * c.C) + w / c.O;
    expected[static_cast<std::size_t>(place)] += at(dy, to) * at(x, from);
  });
  for (std::size_t i = 0; i < dy.size(); ++i)
    expected_bias[i % static_cast<std::size_t>(c.O)] += double(dy[i]);
  lanes.backward_weights(c, c.N, x.data(), dy.data(), add, dweight.data(), dbias.data(),
                         scratch.data());
  CHECK(close(dweight, expected));
  CHECK(close(dbias, expected_bias));
  CHECK(guard_holds(scratch));
}

// Numbers in quarters, so that windows have ties; sometimes a NaN.
Numbers coarse(Dice& dice, Index count) {
  Numbers x = dice.numbers(count);
  for (float& v : x) v = std::round(4 * v) / 4;
  if (dice(0, 3) == 0) at(x, dice(0, count - 1)) = std::numeric_limits<float>::quiet_NaN();
  return x;
}

void check_max_pool(const kernels::Table::MaxPool& pool, Dice& dice) {
  const Index kernel = dice(1, 4), Q = dice(1, 9), C = dice(1, 37);
  const PoolRow row{kernel, Q * kernel + dice(0, 3), C, Q, dice(0, 1) == 1};
  const Numbers x = coarse(dice, kernel * row.W * C), dy = dice.numbers(Q * C);
  Numbers y = guarded(Q * C, -7), dx = guarded(kernel * row.W * C, -7);
  Numbers expected = guarded(Q * C, 0), expected_dx = guarded(kernel * row.W * C, 0);
  for (Index q = 0; q < Q; ++q)
    for (Index c = 0; c < C; ++c) {
      Index winner = q * kernel * C + c;
      for (Index r = 0; r < kernel; ++r)
        for (Index s = 0; s < kernel; ++s) {
          const Index from = (r * row.W + q * kernel + s) * C + c;
          if (at(x, from) > at(x, winner) || std::isnan(at(x, from))) winner = from;
        }
      const bool off = row.relu && at(x, winner) <= 0;
      at(expected, q * C + c) = off ? 0 : at(const_cast<Numbers&>(x), winner);
      if (!off && !std::isnan(at(x, winner)))
        at(expected_dx, winner) = at(const_cast<Numbers&>(dy), q * C + c);
    }
  pool.forward(row, x.data(), y.data());
  pool.backward(row, x.data(), y.data(), dy.data(), dx.data());
  for (Index i = 0; i < Q * C; ++i)
    CHECK((at(y, i) == at(expected, i) || (std::isnan(at(y, i)) && std::isnan(at(expected, i)))));
  CHECK(guard_holds(y));
  CHECK(dx == expected_dx);
}

}  // namespace

TEST_CASE("lanes: forward equals the definition") {
  on_every_isa([](const kernels::Table& table) {
    Dice dice;
    for (int i = 0; i < 300; ++i)
      check_lanes_forward(table.lanes, random_shape(dice, table.lanes.lanes), dice);
  });
}

TEST_CASE("lanes: backward to the weights equals the definition, added or not") {
  on_every_isa([](const kernels::Table& table) {
    Dice dice;
    for (int i = 0; i < 300; ++i)
      check_lanes_backward(table.lanes, random_shape(dice, table.lanes.lanes), dice);
  });
}

TEST_CASE("max pool: both ways equal the definition") {
  on_every_isa([](const kernels::Table& table) {
    Dice dice;
    for (int i = 0; i < 600; ++i) check_max_pool(table.max_pool, dice);
  });
}

TEST_CASE("isa: a number that is none has no name") {
  CHECK_THROWS_WITH_AS(name(static_cast<Isa>(9)),
                       "[isa] no such instruction set: got 9; expected generic, avx2, avx512 or "
                       "vnni",
                       Error);
}

TEST_CASE("isa: FRAQAT_ISA chooses, and refuses what it cannot have") {
  CHECK(choose_isa("") == detected_isa());
  CHECK(choose_isa("generic") == Isa::generic);
  CHECK_THROWS_WITH_AS(choose_isa("sse9"),
                       "[isa] FRAQAT_ISA names no instruction set: got sse9; expected generic, "
                       "avx2, avx512 or vnni",
                       Error);
  for (const Isa isa : all_isas) {
    if (supported(isa)) {
      CHECK(choose_isa(name(isa)) == isa);
      continue;
    }
    try {
      choose_isa(name(isa));
      FAIL("an instruction set that the processor lacks was accepted");
    } catch (const Error& error) {
      CHECK(error.kind() == Error::Kind::usage);
      CHECK(std::string(error.what()).find("lacks: got " + std::string(name(isa))) !=
            std::string::npos);
    }
  }
}

}  // namespace fraqat::kernels_test
