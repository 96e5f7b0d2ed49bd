#include <doctest/doctest.h>

#include <array>
#include <limits>

#include "tests/core/every_isa.hpp"
#include "tests/core/kernel_numbers.hpp"

namespace fraqat::direct_test {

// The direct convolutions, for every instruction set that this processor has,
// against the definition: every pitch, origin, stride and dilation they claim.
using namespace fraqat::test;

namespace {

struct Axes {
  WindowAxis axis;
  Index step;  // from one output to the next in y
};

Axes random_axis(Dice& dice) {
  WindowAxis a{};
  a.taps = dice(0, 9) ? dice(1, 5) : 0;
  a.stride = dice(1, 3);
  a.dilation = dice(0, 2) ? 1 : dice(2, 3);
  a.in = dice(1, 9);
  a.out = dice(1, 9);
  a.origin = dice(-5, 2);
  return {a, dice(1, 2)};
}

// A convolution, and how many numbers its images have.
struct Case {
  DirectConvolution d;
  Index count, x, y;
  WeightPitch weight;

  Index weights() const { return d.O * d.rows.taps * d.columns.taps * d.C; }
};

Case make_case(Dice& dice, const Axes& rows, const Axes& columns, Index C, Index O, Index inputs) {
  Case c{};
  c.d.rows = rows.axis;
  c.d.columns = columns.axis;
  c.d.C = C;
  c.d.O = O;
  const Index outputs = O + (dice(0, 2) ? 0 : dice(1, 5));  // more: another group's
  c.count = dice(1, 4);
  c.d.x = {c.d.rows.in * c.d.columns.in * inputs, c.d.columns.in * inputs, inputs};
  const Index row = c.d.columns.out * columns.step * outputs;
  c.d.y = {c.d.rows.out * rows.step * row, rows.step * row, columns.step * outputs};
  c.x = c.count * c.d.x.sample;
  c.y = c.count * c.d.y.sample;
  c.weight = {c.d.rows.taps * c.d.columns.taps * C, c.d.columns.taps * C, C, 1};
  return c;
}

Case random_case(Dice& dice, Index lanes) {
  const Axes rows = random_axis(dice), columns = random_axis(dice);
  const Index C = dice(1, 3) == 1 ? dice(1, 30) : dice(1, 7);
  const Index O = lanes + (dice(0, 1) ? dice(0, 3 * lanes) : dice(0, 3) * lanes);
  return make_case(dice, rows, columns, C, O, C + (dice(0, 2) ? 0 : dice(1, 5)));
}

Index position(const WindowAxis& axis, Index i, Index tap) {
  return axis.origin + i * axis.stride + tap * axis.dilation;
}

// What the kernels of whole rows ask for: three taps over rows as long in y as in x, and one
// vector of outputs without a pair.  Rows, samples and pitches may be any.
bool suits_rows(const Case& c, Index lanes) {
  const WindowAxis& a = c.d.columns;
  return a.taps == 3 && a.stride == 1 && a.dilation == 1 && a.origin == -1 && a.in == a.out &&
         a.in >= 3 && (c.d.O + lanes - 1) / lanes % 2 == 1;
}

// A number of x is shared where the next pixel's first channel follows the last of this one.
bool suits_rows_forward(const Case& c, Index lanes) {
  return suits_rows(c, lanes) && c.d.C == lanes && c.d.x.column == lanes;
}

bool any_product(const WindowAxis& axis) {
  for (Index i = 0; i < axis.out; ++i)
    for (Index t = 0; t < axis.taps; ++t)
      if (position(axis, i, t) >= 0 && position(axis, i, t) < axis.in) return true;
  return false;
}

// Columns that fail in one of the things that the kernels of whole rows ask for.
WindowAxis near_miss(Dice& dice, Index n) {
  const std::array<WindowAxis, 10> all{{{n, n, 3, -2, 1, 1},
                                        {n, n, 3, 0, 1, 1},
                                        {n, n - 1, 3, -1, 1, 1},
                                        {n, n + 1, 3, -1, 1, 1},
                                        {n, n, 2, -1, 1, 1},
                                        {n, n, 4, -1, 1, 1},
                                        {n, n, 3, -1, 2, 1},
                                        {n, n, 3, -1, 1, 2},
                                        {1, 1, 3, -1, 1, 1},
                                        {2, 2, 3, -1, 1, 1}}};
  return all[static_cast<std::size_t>(dice(0, 9))];
}

// A case for the kernels of whole rows, from C channels; or, to miss, one that lacks one thing.
// Gradients to the weights miss nothing where C is not `lanes`, or channels lie beside.
Case row_case(Dice& dice, Index lanes, Index C, bool miss) {
  const Index length = dice(0, 3) ? dice(3, 18) : dice(19, 40), what = miss ? dice(0, 5) : 6;
  const Axes rows = random_axis(dice);
  Axes columns{{length, length, 3, -1, 1, 1}, dice(1, 2)};
  if (what < 3) columns.axis = near_miss(dice, length);
  if (what == 3) C += dice(0, 1) ? 1 : -1;
  // Another group's channels.
  const Index beside = what == 4 ? dice(1, 5) : C == lanes ? 0 : dice(0, 3);
  const std::array<Index, 3> alone{lanes, 3 * lanes, 2 * lanes + dice(1, lanes)};
  const Index O = what == 5 ? 2 * lanes : alone[static_cast<std::size_t>(dice(0, 2))];
  return make_case(dice, rows, columns, C, O, C + beside);
}

// Calls f(y) with the position of every output pixel of one sample, and its row and column.
template <class F>
void each_output(const Case& c, F f) {
  for (Index n = 0; n < c.count; ++n)
    for (Index i = 0; i < c.d.rows.out; ++i)
      for (Index j = 0; j < c.d.columns.out; ++j)
        f(n * c.d.y.sample + i * c.d.y.row + j * c.d.y.column, n, i, j);
}

// Calls f(y, x, weight) with the positions of every product.
template <class F>
void each_product(const Case& c, F f) {
  each_output(c, [&](Index y, Index n, Index i, Index j) {
    for (Index r = 0; r < c.d.rows.taps; ++r)
      for (Index s = 0; s < c.d.columns.taps; ++s) {
        const Index h = position(c.d.rows, i, r), w = position(c.d.columns, j, s);
        if (h < 0 || h >= c.d.rows.in || w < 0 || w >= c.d.columns.in) continue;
        for (Index in = 0; in < c.d.C; ++in)
          for (Index o = 0; o < c.d.O; ++o)
            f(y + o, n * c.d.x.sample + h * c.d.x.row + w * c.d.x.column + in,
              o * c.weight.output + r * c.weight.row + s * c.weight.column + in);
      }
  });
}

void check_forward(const kernels::Table::Direct& direct, const Case& c, Dice& dice) {
  const Numbers x = dice.numbers(c.x), weight = dice.numbers(c.weights());
  const Numbers bias = dice(0, 1) ? dice.numbers(c.d.O) : Numbers();
  Numbers packed = guarded(direct.packed(c.d), std::numeric_limits<float>::quiet_NaN());
  Numbers y = guarded(c.y, -7);
  std::vector<double> expected(y.size() - guards, -7);  // what is between the outputs stays
  each_output(c, [&](Index to, Index, Index, Index) {
    for (Index o = 0; o < c.d.O; ++o)
      expected[static_cast<std::size_t>(to + o)] = bias.empty() ? 0 : at(bias, o);
  });
  each_product(c, [&](Index to, Index from, Index w) {
    expected[static_cast<std::size_t>(to)] += at(x, from) * at(weight, w);
  });
  direct.pack(c.d, c.weight, weight.data(), bias.empty() ? nullptr : bias.data(), packed.data());
  direct.forward(c.d, c.count, x.data(), packed.data(), y.data());
  CHECK(close(y, expected));
  CHECK(guard_holds(packed));
}

void check_backward(const kernels::Table::Direct& direct, const Case& c, Dice& dice) {
  const Numbers x = dice.numbers(c.x), dy = dice.numbers(c.y);
  const bool bias = dice(0, 1), twice = dice(0, 1);
  Numbers packed = guarded(direct.packed(c.d), std::numeric_limits<float>::quiet_NaN());
  Numbers dweight = guarded(c.weights(), -7), dbias = guarded(c.d.O, -7);
  std::vector<double> expected(dweight.size() - guards), expected_bias(dbias.size() - guards);
  const double times = twice ? 2 : 1;
  each_product(c, [&](Index to, Index from, Index w) {
    expected[static_cast<std::size_t>(w)] += times * at(dy, to) * at(x, from);
  });
  each_output(c, [&](Index from, Index, Index, Index) {
    for (Index o = 0; o < c.d.O; ++o)
      expected_bias[static_cast<std::size_t>(o)] += times * at(dy, from + o);
  });
  for (int i = 0; i < (twice ? 2 : 1); ++i)
    direct.backward_weights(c.d, c.count, x.data(), dy.data(), i > 0, bias, packed.data());
  direct.unpack(c.d, c.weight, packed.data(), dweight.data(), bias ? dbias.data() : nullptr);
  CHECK(close(dweight, expected));
  CHECK((bias ? close(dbias, expected_bias) : dbias == guarded(c.d.O, -7)));
  CHECK(guard_holds(packed));
}

}  // namespace

TEST_CASE("direct: forward equals the definition") {
  on_every_isa([](const kernels::Table& table) {
    Dice dice;
    for (int i = 0; i < 600; ++i)
      check_forward(table.direct, random_case(dice, table.direct.lanes), dice);
  });
}

TEST_CASE("direct: backward to the weights equals the definition, and is added on demand") {
  on_every_isa([](const kernels::Table& table) {
    Dice dice;
    for (int i = 0; i < 600; ++i)
      check_backward(table.direct, random_case(dice, table.direct.lanes), dice);
  });
}

TEST_CASE("direct: forward by whole rows equals the definition, and so do near misses") {
  on_every_isa([](const kernels::Table& table) {
    Dice dice;
    const Index lanes = table.direct.lanes;
    Index reached = 0;
    for (int i = 0; i < 400; ++i) {
      const Case c = row_case(dice, lanes, lanes, i % 4 == 0);
      reached += suits_rows_forward(c, lanes) && any_product(c.d.rows);
      check_forward(table.direct, c, dice);
    }
    CHECK(reached >= 200);
  });
}

TEST_CASE("direct: backward to the weights by whole rows, and near misses") {
  on_every_isa([](const kernels::Table& table) {
    Dice dice;
    const Index lanes = table.direct.lanes;
    Index reached = 0;
    for (int i = 0; i < 400; ++i) {
      const Case c = row_case(dice, lanes, dice(0, 1) ? lanes : dice(2, lanes + 9), i % 4 == 0);
      reached += suits_rows(c, lanes) && any_product(c.d.rows);
      check_backward(table.direct, c, dice);
    }
    CHECK(reached >= 200);
  });
}

}  // namespace fraqat::direct_test
