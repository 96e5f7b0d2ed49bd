#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/kernels/kernels.hpp"
#include "tests/core/every_isa.hpp"
#include "tests/core/kernel_numbers.hpp"

namespace fraqat::channels_test {

// The kernels of batch norm against their definitions.
using namespace fraqat::test;

namespace {

// ChannelRows of channels with odd ends, what is known of each channel, and a gradient.
struct ChannelRows {
  explicit ChannelRows(Dice& dice)
      : C(dice(1, 3) == 1 ? dice(1, 150) : dice(1, 40)),
        count(dice(1, 20) == 1 ? dice(300, 900) : dice(1, 40)),
        x(dice.numbers(C * count)),
        addend(dice.numbers(C * count)),
        dy(dice.numbers(C * count)),
        mean(dice.numbers(C)),
        factor(dice.numbers(C)),
        shift(dice.numbers(C)),
        with_addend(dice(0, 1)),
        relu(dice(0, 1)) {}

  Index size() const { return C * count; }
  kernels::ChannelScale scale() const { return {C, mean.data(), factor.data(), shift.data()}; }

  double centred(Index i) const { return at(x, i) - at(mean, i % C); }
  double scaled(Index i) const { return centred(i) * at(factor, i % C) + at(shift, i % C); }
  double result(Index i) const {
    const double y = scaled(i) + (with_addend ? at(addend, i) : 0);
    return relu && y <= 0 ? 0 : y;
  }

  Index C, count;
  Numbers x, addend, dy, mean, factor, shift;
  bool with_addend, relu;
};

std::vector<double> filled(Index count, double value) {
  return std::vector<double>(static_cast<std::size_t>(count), value);
}

double& at(std::vector<double>& v, Index i) { return v[static_cast<std::size_t>(i)]; }

bool close_sums(const std::vector<double>& got, const std::vector<double>& expected, Index count) {
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (!(std::abs(got[i] - expected[i]) <= 1e-6 * double(count))) return false;
  return true;
}

void check_moments(const kernels::Table::Channels& channels, const ChannelRows& rows) {
  std::vector<double> sums = filled(2 * rows.C, 1), expected = sums;
  for (Index i = 0; i < rows.size(); ++i) {
    const double v = test::at(rows.x, i);
    at(expected, i % rows.C) += v;
    at(expected, rows.C + i % rows.C) += v * v;
  }
  channels.moments(rows.C, rows.count, rows.x.data(), sums.data());
  for (std::size_t i = 0; i < sums.size(); ++i)  // in double, but for the order
    CHECK(std::abs(sums[i] - expected[i]) <= 1e-13 * double(rows.count));
}

Numbers scaled_by(const kernels::Table::Channels& channels, const ChannelRows& rows) {
  Numbers y = guarded(rows.size(), -7);
  channels.forward(rows.scale(), rows.count, rows.relu, rows.x.data(),
                   rows.with_addend ? rows.addend.data() : nullptr, y.data());
  return y;
}

void check_forward(const kernels::Table::Channels& channels, const ChannelRows& rows) {
  std::vector<double> expected = filled(rows.size(), 0);
  for (Index i = 0; i < rows.size(); ++i) at(expected, i) = rows.result(i);
  CHECK(close(scaled_by(channels, rows), expected));
}

// Where y is within rounding of 0, either side is right: such a gradient is made 0.
void check_backward(const kernels::Table::Channels& channels, ChannelRows rows, Dice& dice) {
  std::vector<double> h = filled(rows.size(), 0), dx = h, sums = filled(2 * rows.C, 0),
                      expected = sums;
  const Numbers level = dice.numbers(rows.C), slope = dice.numbers(rows.C);
  rows.with_addend = rows.with_addend && rows.relu;
  for (Index i = 0; i < rows.size(); ++i) {
    const Index c = i % rows.C;
    if (std::abs(rows.result(i)) < 1e-5) test::at(rows.dy, i) = 0;
    at(h, i) = !rows.relu || rows.result(i) > 0 ? test::at(rows.dy, i) : 0;
    at(expected, c) += at(h, i);
    at(expected, rows.C + c) += at(h, i) * rows.centred(i);
    at(dx, i) = test::at(rows.factor, c) *
                (at(h, i) - test::at(level, c) - test::at(slope, c) * rows.centred(i));
  }
  const Numbers y = scaled_by(channels, rows);
  Numbers gradient = guarded(rows.size(), 0);
  std::copy(rows.dy.begin(), rows.dy.end(), gradient.begin());
  channels.products(rows.scale(), rows.count, rows.relu, rows.x.data(), gradient.data(),
                    rows.with_addend ? y.data() : nullptr,
                    rows.with_addend ? gradient.data() : nullptr, sums.data());
  CHECK(close_sums(sums, expected, rows.count));
  CHECK(
      close(gradient, rows.with_addend ? h : std::vector<double>(rows.dy.begin(), rows.dy.end())));
  channels.backward(rows.scale(), level.data(), slope.data(), rows.count,
                    rows.relu && !rows.with_addend, rows.x.data(), gradient.data(),
                    gradient.data());
  CHECK(close(gradient, dx));
}

}  // namespace

TEST_CASE("channels: sums, scaling and gradient equal the definition") {
  on_every_isa([](const kernels::Table& table) {
    Dice dice;
    for (int i = 0; i < 400; ++i) {
      const ChannelRows rows(dice);
      check_moments(table.channels, rows);
      check_forward(table.channels, rows);
      check_backward(table.channels, rows, dice);
    }
  });
}

TEST_CASE("channels: a NaN is neither rectified nor passed on") {
  on_every_isa([](const kernels::Table& table) {
    Dice dice;
    for (Index C : {1, 4, 19, 40}) {
      ChannelRows rows(dice);
      rows.C = C;
      rows.count = 1;
      rows.relu = true;
      rows.with_addend = false;
      for (Numbers* numbers : {&rows.x, &rows.dy, &rows.mean, &rows.factor, &rows.shift})
        *numbers = dice.numbers(C);
      const Index bad = dice(0, C - 1);
      test::at(rows.x, bad) = std::numeric_limits<float>::quiet_NaN();
      const Numbers y = scaled_by(table.channels, rows);
      for (Index i = 0; i < C; ++i) CHECK(std::isnan(test::at(y, i)) == (i == bad));
      Numbers h = guarded(C, -7);
      std::vector<double> sums = filled(2 * C, 0);
      table.channels.products(rows.scale(), 1, true, rows.x.data(), rows.dy.data(), y.data(),
                              h.data(), sums.data());
      CHECK(test::at(h, bad) == 0);
      CHECK(guard_holds(h));
    }
  });
}

}  // namespace fraqat::channels_test
