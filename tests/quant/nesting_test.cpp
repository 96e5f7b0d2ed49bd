#include <doctest/doctest.h>

#include "core/random.hpp"
#include "quant/ops.hpp"

namespace fraqat::nesting_test {

// Grids of 2, 4 and 8 bits over one range are nested: the step of 4 bits is a fifth of that of
// 2, the step of 8 a seventeenth of that of 4, so that each adds to the last what is left of it,
//   Q_4(x) = Q_2(x) + s_4 rne((x - Q_2(x)) / s_4),      and likewise Q_8
// (Bayesian Bits, van Baalen et al., 2020).

using quant::Coding;
using quant::Widths;

namespace {

Tensor quantized(const Tensor& x, int bits, Real scale, Coding coding = Coding::natural) {
  return op::fake_quant(Var(x), Var(Tensor({1}, Real(1))), Var(Tensor({1, 1}, scale)),
                        Var(Tensor({1, 1}, Real(0))), {coding, Widths::one(bits), 0, 1})
      .value();
}

}  // namespace

TEST_CASE("nesting: 8 bits are 4 bits and what is left of them, these are 2 bits likewise") {
  Tensor x({4000});
  fill_uniform(x, 0, Real(255) / 256, Philox(3, Stream::synthetic));  // nothing is clipped
  constexpr Real s8 = Real(1) / 256, s4 = 17 * s8, s2 = 5 * s4;       // exact: no tie moves
  const Tensor two = quantized(x, 2, s2), four = quantized(x, 4, s4), eight = quantized(x, 8, s8);
  for (const auto& [coarse, fine, step] :
       {std::tuple(&two, &four, s4), std::tuple(&four, &eight, s8)}) {
    Tensor rest(x.shape());
    for (Index i = 0; i < x.size(); ++i) rest[i] = x[i] - (*coarse)[i];
    // What is left is at most half a coarse step, of both signs: 5 / 2 fine ones, or 17 / 2.
    const Tensor added = quantized(rest, 8, step, Coding::twos);
    Index different = 0;
    for (Index i = 0; i < x.size(); ++i) different += (*fine)[i] != (*coarse)[i] + added[i];
    CHECK(different == 0);
  }
}

}  // namespace fraqat::nesting_test
