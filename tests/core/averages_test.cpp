#include <doctest/doctest.h>

#include <vector>

#include "core/kernels/kernels.hpp"
#include "tests/core/every_isa.hpp"
#include "tests/core/kernel_numbers.hpp"

namespace fraqat::averages_test {

// The kernels of average pooling against the sum, pixel by pixel.
using namespace fraqat::test;

namespace {

struct Window {
  explicit Window(Dice& dice)
      : rows(dice(1, 5)),
        columns(dice(1, 5)),
        C(dice(1, 3) == 1 ? dice(1, 150) : dice(1, 20)),
        pitch((columns + dice(0, 3)) * C),
        count(static_cast<float>(rows * columns + dice(0, 4))) {}

  kernels::AverageWindow shape() const { return {rows, columns, pitch, C, count}; }
  Index image() const { return rows * pitch; }
  Index pixel(Index r, Index s) const { return r * pitch + s * C; }

  Index rows, columns, C, pitch;
  float count;
};

void check_forward(const kernels::Table::Averages& averages, const Window& w, Dice& dice) {
  const Numbers x = dice.numbers(w.image());
  std::vector<double> expected(static_cast<std::size_t>(w.C), 0);
  for (Index c = 0; c < w.C; ++c) {
    for (Index r = 0; r < w.rows; ++r)
      for (Index s = 0; s < w.columns; ++s)
        expected[static_cast<std::size_t>(c)] += at(x, w.pixel(r, s) + c);
    expected[static_cast<std::size_t>(c)] /= double(w.count);
  }
  Numbers y = guarded(w.C, -7);
  averages.forward(w.shape(), x.data(), y.data());
  CHECK(close(y, expected));
}

// What lies between the rows of the window stays as it is.
void check_backward(const kernels::Table::Averages& averages, const Window& w, bool add,
                    Dice& dice) {
  const Numbers dy = dice.numbers(w.C), before = dice.numbers(w.image());
  std::vector<double> expected(before.begin(), before.end());
  for (Index r = 0; r < w.rows; ++r)
    for (Index s = 0; s < w.columns; ++s)
      for (Index c = 0; c < w.C; ++c) {
        double& to = expected[static_cast<std::size_t>(w.pixel(r, s) + c)];
        to = (add ? to : 0) + at(dy, c) / double(w.count);
      }
  Numbers dx = guarded(w.image(), 0);
  std::copy(before.begin(), before.end(), dx.begin());
  averages.backward(w.shape(), add, dy.data(), dx.data());
  CHECK(close(dx, expected));
}

}  // namespace

TEST_CASE("averages: equal the naive sums") {
  on_every_isa([](const kernels::Table& table) {
    Dice dice;
    for (int i = 0; i < 300; ++i) {
      const Window window(dice);
      check_forward(table.averages, window, dice);
      check_backward(table.averages, window, i % 2 == 0, dice);
    }
  });
}

}  // namespace fraqat::averages_test
