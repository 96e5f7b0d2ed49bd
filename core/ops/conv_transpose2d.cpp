#include <algorithm>

#include "core/convolution.hpp"
#include "core/windows.hpp"

/// y[n, h, w, o] = bias[o] + sum over p, q, r, s, i with
///     h = p stride - top + r dilation,  w = q stride - left + s dilation
/// of  x[n, p, q, i] weight[i, r, s, o]
///
/// where i runs over the channels of o's group: the gradient to its image of a
/// convolution from y to x with this weight.  So each gradient here is another
/// pass of that convolution:
///
///   dL/dx      its forward pass over dL/dy
///   dL/dweight its gradient to the weight, with image dL/dy and gradient x
///   dL/dbias   sum over n, h, w of dL/dy[n, h, w, o]
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct ConvTranspose2d {
  static constexpr std::string_view name = "conv_transpose2d";
  Convolution c;  // from y[N, H, W, C] to x[N, P, Q, O]
  ConvTranspose2dOptions options;
  Tensor x = {}, weight = {};

  void describe(Attributes& a) const {
    const Padding& p = options.padding;
    a("stride", options.stride);
    a("padding", std::vector{p.top, p.bottom, p.left, p.right});
    a("output_padding", options.output_padding);
    a("dilation", options.dilation);
    a("groups", options.groups);
  }

  Tensor forward(const Tensor& input, const Tensor& kernel, const Tensor& bias) {
    x = input;
    weight = kernel;
    Tensor y({c.N, c.H, c.W, c.C});
    convolution::backward_data(c, x.data(), weight.data(), y.data());
    if (!bias) return y;
    parallel_chunks(c.N * c.H * c.W, grain_rows(c.C), [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row)
        for (Index o = 0; o < c.C; ++o) y[row * c.C + o] += bias[o];
    });
    return y;
  }

  std::array<Tensor, 3> backward(const Tensor& dy, Needs<3> needs) const {
    std::array<Tensor, 3> gradients;
    if (needs[0]) {
      gradients[0] = Tensor(x.shape());
      convolution::forward(c, dy.data(), weight.data(), nullptr, gradients[0].data());
    }
    if (needs[1]) {
      gradients[1] = Tensor(weight.shape());
      convolution::backward_weights(c, dy.data(), x.data(), gradients[1].data(), nullptr);
    }
    if (needs[2]) gradients[2] = column_sums(dy);
    return gradients;
  }
};

void check_transposed(const ConvTranspose2dOptions& o) {
  check(possible_windows({o.stride, o.dilation}, o.padding) && o.groups >= 1 &&
            o.output_padding >= 0 && o.output_padding < std::max(o.stride, o.dilation),
        "[conv_transpose2d] impossible options: got stride ", o.stride, ", padding ", o.padding,
        ", output_padding ", o.output_padding, ", dilation ", o.dilation, ", groups ", o.groups,
        "; expected stride and dilation of 1 to ", max_window, ", padding of 0 to ", max_window,
        ", groups of 1 or more, and an output_padding below stride or dilation");
}

void check_fit(const Shape& x, const Shape& weight, const Var& bias, Index groups) {
  check(x.rank() == 4 && weight.rank() == 4, "[conv_transpose2d] wrong rank: got x ", x,
        " and weight ", weight, "; expected x[N, H, W, C] and weight[C, R, S, O / groups]");
  check(weight.size() > 0, "[conv_transpose2d] no weights: got weight ", weight,
        "; expected extents of 1 or more");
  check(weight[0] == x[3] && x[3] % groups == 0, "[conv_transpose2d] channels do not fit: got x ",
        x, " and weight ", weight, " in ", groups,
        " groups; expected x[N, H, W, C] and weight[C, R, S, O / groups], C a multiple of groups");
  const Shape channels{weight[3] * groups};
  check(!bias || bias.shape() == channels, "[conv_transpose2d] wrong bias: got ", bias.shape(),
        " for weight ", weight, " in ", groups, " groups; expected ", channels);
}

// The image whose windows, `count` of them, lie where x says; may be impossible.
Index extent(Index count, Index window, Index padding, const ConvTranspose2dOptions& o) {
  return (count - 1) * o.stride - padding + o.dilation * (window - 1) + 1 + o.output_padding;
}

}  // namespace

Var conv_transpose2d(const Var& x, const Var& weight, const Var& bias,
                     const ConvTranspose2dOptions& options) {
  const Shape &in = x.shape(), &w = weight.shape();
  check_transposed(options);
  check_fit(in, w, bias, options.groups);
  const Padding& padding = options.padding;
  const Index H = extent(in[1], w[1], padding.rows(), options);
  const Index W = extent(in[2], w[2], padding.columns(), options);
  check(H > 0 && W > 0, "[conv_transpose2d] nothing is left: got x ", in, " and weight ", w,
        " with padding ", padding, "; expected a result larger than its padding");
  return apply(ConvTranspose2d{{{in[0], H, W, w[3] * options.groups, in[3], w[1], w[2], in[1],
                                 in[2], options.stride, padding.top, padding.left, options.dilation,
                                 options.groups}},
                               options},
               x, weight, bias);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
