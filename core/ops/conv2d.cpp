#include <ostream>

#include "core/convolution.hpp"
#include "core/windows.hpp"

/// y[n, p, q, o] = bias[o] + sum over r, s, i of
///     x[n, p stride - top + r dilation, q stride - left + s dilation, i] weight[o, r, s, i]
///
/// where x is zero outside the image and i runs over the channels of o's group.
///
///   dL/dx      the same sum read backwards: every dy sent to the pixels it came from
///   dL/dweight sum over n, p, q of dy[n, p, q, o] x[n, ..., i]
///   dL/dbias   sum over n, p, q of dy[n, p, q, o]
///
/// conv2d_batch_norm is this op with one more pass over each run of samples that it has
/// just written, where batch_norm would fetch y from memory and write it again.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Conv2d {
  static constexpr std::string_view name = "conv2d";
  Convolution c;
  Padding padding;
  Tensor x = {}, weight = {};

  /// padding: one number, or (top, bottom, left, right) where they differ.
  void describe(Attributes& a) const {
    a("stride", c.stride);
    if (padding == Padding(padding.top))
      a("padding", padding.top);
    else
      a("padding", std::vector{padding.top, padding.bottom, padding.left, padding.right});
    a("dilation", c.dilation);
    a("groups", c.groups);
  }

  Tensor forward(const Tensor& input, const Tensor& kernel, const Tensor& bias) {
    x = input;
    weight = kernel;
    Tensor y({c.N, c.P, c.Q, c.O});
    convolution::forward(c, x.data(), weight.data(), bias.data(), y.data());
    return y;
  }

  std::array<Tensor, 3> backward(const Tensor& dy, Needs<3> needs) const {
    std::array<Tensor, 3> gradients;
    if (needs[0]) {
      gradients[0] = Tensor(x.shape());
      convolution::backward_data(c, dy.data(), weight.data(), gradients[0].data());
    }
    if (needs[1] || needs[2]) {
      gradients[1] = Tensor(weight.shape());
      if (needs[2]) gradients[2] = Tensor({c.O});
      convolution::backward_weights(c, x.data(), dy.data(), gradients[1].data(),
                                    gradients[2].data());
    }
    return gradients;
  }
};

void check_options(const Conv2dOptions& o) {
  check(possible_windows({o.stride, o.dilation}, o.padding) && o.groups >= 1,
        "[conv2d] impossible options: got stride ", o.stride, ", padding ", o.padding,
        ", dilation ", o.dilation, ", groups ", o.groups, "; expected stride and dilation of 1 to ",
        max_window, ", padding of 0 to ", max_window, " and groups of 1 or more");
}

void check_shapes(const Shape& x, const Shape& weight, Index groups) {
  check(x.rank() == 4 && weight.rank() == 4, "[conv2d] wrong rank: got x ", x, " and weight ",
        weight, "; expected x[N, H, W, C] and weight[O, R, S, C / groups]");
  check(weight.size() > 0, "[conv2d] no weights: got weight ", weight,
        "; expected extents of 1 or more");
  check(weight[0] % groups == 0 && weight[3] * groups == x[3],  // in this order none overflows
        "[conv2d] channels do not fit: got x ", x, " and weight ", weight, " in ", groups,
        " groups; expected x[N, H, W, C] and weight[O, R, S, C / groups], O a multiple of groups");
}

void check_bias(const Var& bias, const Shape& weight) {
  check(!bias || bias.shape() == Shape{weight[0]}, "[conv2d] wrong bias: got ", bias.shape(),
        " for weight ", weight, "; expected [", weight[0], "]");
}

// Number of window positions along one axis; 0 or less where none fits.
Index positions(Index padded, Index window, const Conv2dOptions& o) {
  const Index room = padded - o.dilation * (window - 1) - 1;
  return room < 0 ? 0 : room / o.stride + 1;
}

Convolution convolution_of(const Shape& in, const Shape& w, const Conv2dOptions& options) {
  check_options(options);
  check_shapes(in, w, options.groups);
  const Padding& padding = options.padding;
  const Index P = positions(in[1] + padding.rows(), w[1], options);
  const Index Q = positions(in[2] + padding.columns(), w[2], options);
  check(P > 0 && Q > 0, "[conv2d] the window does not fit: got x ", in, " and weight ", w,
        " with padding ", padding, " and dilation ", options.dilation,
        "; expected a padded image as large as the window");
  return {{in[0], in[1], in[2], in[3], w[0], w[1], w[2], P, Q, options.stride, padding.top,
           padding.left, options.dilation, options.groups}};
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Padding& p) {
  if (p == Padding(p.top)) return out << p.top;
  return out << '(' << p.top << ", " << p.bottom << ", " << p.left << ", " << p.right << ')';
}

Shape conv2d_shape(const Shape& x, const Shape& weight, const Conv2dOptions& options) {
  const Convolution c = convolution_of(x, weight, options);
  return {c.N, c.P, c.Q, c.O};
}

Var conv2d(const Var& x, const Var& weight, const Var& bias, const Conv2dOptions& options) {
  const Convolution c = convolution_of(x.shape(), weight.shape(), options);
  check_bias(bias, weight.shape());
  return apply(Conv2d{c, options.padding}, x, weight, bias);
}

Var conv2d_batch_norm(const Var& x, const Var& weight, const Var& bias,
                      const Conv2dOptions& options, const NormalisedChannels& norm) {
  const Convolution c = convolution_of(x.shape(), weight.shape(), options);
  check_bias(bias, weight.shape());
  const Shape shape{c.N, c.P, c.Q, c.O}, channels{c.O};
  check(norm.mean.shape() == channels && norm.factor.shape() == channels &&
            norm.shift.shape() == channels && (!norm.addend || norm.addend.shape() == shape),
        "[conv2d_batch_norm] shapes differ: got mean ", norm.mean.shape(), ", addend ",
        norm.addend.shape(), "; expected ", channels, " and none or ", shape);
  check(!Tape::current(),
        "[conv2d_batch_norm] has no gradient: got a tape that records; expected none; try conv2d "
        "and batch_norm");
  check_not_empty("conv2d_batch_norm", std::array{&x, &weight, &bias, &norm.addend});
  const Finish finish{{c.O, norm.mean.data(), norm.factor.data(), norm.shift.data()},
                      norm.relu,
                      norm.addend ? norm.addend.value().data() : nullptr};
  return Var(watched("conv2d_batch_norm", [&] {
    Tensor y(shape);
    convolution::forward(c, x.value().data(), weight.value().data(), bias.value().data(), y.data(),
                         finish);
    return y;
  }));
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
