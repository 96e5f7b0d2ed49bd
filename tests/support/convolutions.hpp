#pragma once

#include <map>
#include <string>

#include "core/convolution.hpp"
#include "tests/support/oracle.hpp"

/// Convolutions of random shapes, and what they are by definition.
namespace fraqat::test::convolutions {

struct Case {
  Index N, H, W, C, O, R, S;
  op::Conv2dOptions options = {};
  bool bias = true;

  std::vector<Tensor> inputs(std::uint64_t seed = 1) const {
    std::vector<Tensor> tensors = {normal({N, H, W, C}, seed),
                                   normal({O, R, S, C / options.groups}, seed + 1)};
    if (bias) tensors.push_back(normal({O}, seed + 2));
    return tensors;
  }

  Var operator()(std::span<const Var> x) const {
    return op::conv2d(x[0], x[1], bias ? x[2] : Var(), options);
  }

  /// As core/convolution.cpp sees it.
  Convolution shape() const {
    const op::Conv2dOptions& o = options;
    const Shape y = op::conv2d_shape({N, H, W, C}, {O, R, S, C / o.groups}, o);
    return {{N, H, W, C, O, R, S, y[1], y[2], o.stride, o.padding.top, o.padding.left, o.dilation,
             o.groups}};
  }
};

/// Calls f(x, weight) with the places of every product in number y of the result.
template <class F>
void each_product(const Convolution& c, Index y, F f) {
  const Index o = y % c.O, q = y / c.O % c.Q, p = y / c.O / c.Q % c.P, n = y / c.outputs();
  for (Index r = 0; r < c.R; ++r)
    for (Index s = 0; s < c.S; ++s) {
      const Index h = p * c.stride - c.top + r * c.dilation;
      const Index w = q * c.stride - c.left + s * c.dilation;
      if (h < 0 || h >= c.H || w < 0 || w >= c.W) continue;
      const Index from = ((n * c.H + h) * c.W + w) * c.C + o / c.group_outputs() * c.group_inputs();
      const Index weight = ((o * c.R + r) * c.S + s) * c.group_inputs();
      for (Index i = 0; i < c.group_inputs(); ++i) f(from + i, weight + i);
    }
}

inline Definition definition(const Case& c, const std::vector<Tensor>& in, const Tensor& dy) {
  Definition d(in, dy);
  const Convolution shape = c.shape();
  double* const dx = d.gradients[0].data();
  double* const dweight = d.gradients[1].data();
  for (Index to = 0; to < dy.size(); ++to) {
    double sum = c.bias ? double(in[2][to % c.O]) : 0;
    if (c.bias) Definition::at(d.gradients[2], to % c.O) += double(dy[to]);
    each_product(shape, to, [&](Index from, Index weight) {
      sum += double(in[0][from]) * double(in[1][weight]);
      dx[from] += double(dy[to]) * double(in[1][weight]);
      dweight[weight] += double(dy[to]) * double(in[0][from]);
    });
    Definition::at(d.y, to) = sum;
  }
  return d;
}

inline void check_case(const Case& c, std::uint64_t seed) {
  INFO("x [", c.N, ", ", c.H, ", ", c.W, ", ", c.C, "], weight [", c.O, ", ", c.R, ", ", c.S,
       "], stride ", c.options.stride, ", padding ", c.options.padding, ", dilation ",
       c.options.dilation, ", groups ", c.options.groups);
  const auto oracle = [&](const auto& in, const Tensor& dy) { return definition(c, in, dy); };
  check_definition(c, oracle, c.inputs(seed), seed + 3);
}

/// An image that the window fits into, at most `more` larger than need be.
inline void draw_image(ShapeDice& dice, Case& c, Index more) {
  const auto size = [&](Index window, Index padding) {
    return std::max(Index{1}, c.options.dilation * (window - 1) + 1 - padding) + dice(0, more);
  };
  c.H = size(c.R, c.options.padding.rows());
  c.W = size(c.S, c.options.padding.columns());
}

/// Any convolution.
inline Case random_case(ShapeDice& dice) {
  Case c{};
  c.options = {dice(1, 3), dice(0, 3), dice(1, 4) == 1 ? dice(2, 3) : 1,
               dice(1, 3) == 1 ? dice(2, 4) : 1};
  if (dice(0, 1)) c.options.padding = {dice(0, 3), dice(0, 4), dice(0, 3), dice(0, 4)};
  const Index factor = c.options.groups;
  c.N = dice(1, 4) == 1 ? dice(8, 37) : dice(1, 4);
  c.R = dice(1, 6);
  c.S = dice(1, 3) == 1 ? dice(1, 6) : c.R;
  const auto channels = [&] { return factor * (dice(1, 3) == 1 ? dice(8, 20) : dice(1, 6)); };
  c.C = channels();
  c.O = channels();
  draw_image(dice, c, 9);
  c.bias = dice(0, 1) == 1;
  return c;
}

enum class Way { depthwise, direct, lanes, im2col };

/// One that this way suits, for vectors of `lanes` numbers; more often than not it suits all
/// passes.
inline Case case_for(Way way, ShapeDice& dice, Index lanes) {
  const auto few = [&] { return dice(1, lanes - 1); };
  const auto many = [&] { return dice(lanes, 2 * lanes + 1); };
  Case c{};
  c.R = dice(1, 4);
  c.S = dice(1, 4);
  c.N = std::min(Index{3}, few());
  c.options.stride = dice(0, 3) ? dice(2, 3) : 1;
  c.options.padding = {dice(0, c.R - 1), dice(0, 3), dice(0, c.S - 1), dice(0, 3)};
  switch (way) {
    case Way::depthwise:
      c.C = c.O = c.options.groups = dice(2, 2 * lanes + 3);
      c.options.dilation = dice(1, 2);
      break;
    case Way::direct:
      c.options.groups = dice(0, 3) ? 1 : 2;
      c.C = c.options.groups * many();
      c.O = c.options.groups * many();
      c.options.dilation = dice(0, 3) ? 1 : 2;
      break;
    case Way::lanes:
      c.N = many();
      c.C = dice(0, 3) ? few() : many();
      c.O = dice(0, 3) ? few() : many();
      c.options.stride = dice(0, 3) ? 1 : 2;
      break;
    case Way::im2col:
      c.options.groups = dice(0, 3) ? 1 : 2;
      c.C = c.options.groups * few();
      c.O = c.options.groups * few();
      c.options.dilation = dice(1, 2);
  }
  draw_image(dice, c, 4);
  c.bias = dice(0, 1) == 1;
  return c;
}

/// How many shapes took a way, by pass.
using Reached = std::map<std::string, Index>;

/// Counts the ways that core/convolution.cpp must take.  Where two of them are right the faster is
/// taken: these are not counted.
inline void count_ways(const Convolution& c, Reached& reached) {
  if (depthwise::suits(c)) {
    ++reached["depthwise"];
    return;
  }
  const auto count = [&](const std::string& pass, bool in_direct, bool in_lanes) {
    const char* way = in_direct ? "direct " : in_lanes ? "lanes " : "im2col ";
    if (!in_direct || !in_lanes) ++reached[way + pass];
  };
  count("forward", direct::suits_forward(c), lanes::suits_forward(c));
  count("backward_weights", direct::suits_backward_weights(c), lanes::suits_backward_weights(c));
  count("backward_data", direct::suits_backward_data(c), lanes::suits_backward_data(c));
  if (direct::suits_backward_data(c) && c.stride > 1) ++reached["direct backward_data by residues"];
}

}  // namespace fraqat::test::convolutions
