#include <algorithm>

#include "core/kernels/kernels.hpp"
#include "core/windows.hpp"

/// y[n, i, j, c] = largest x[n, h, w, c] of window (i, j); a NaN wins.
///
///   dL/dx[n, h, w, c] = sum of dL/dy[n, i, j, c] over the windows it wins
///
/// Of equal elements the first of the window, in row-major order, wins.  Nothing
/// but x and y is saved: the first x that equals y is the winner.
///
/// The largest of relu(x) is relu of the largest, and where that is 0 no gradient
/// passes: relu_max_pool2d is this op with one more comparison.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

void keep_larger(Real* __restrict__ y, const Real* __restrict__ x, Index channels) {
  for (Index c = 0; c < channels; ++c) {
    const bool wins = (x[c] > y[c]) | (x[c] != x[c]);
    y[c] = wins ? x[c] : y[c];
  }
}

// Passes what is left of dy to x where x equals y.
void give_to_winners(Real* __restrict__ dx, Real* __restrict__ left, const Real* __restrict__ x,
                     const Real* __restrict__ y, Index channels) {
  for (Index c = 0; c < channels; ++c) {
    const Real given = x[c] == y[c] ? left[c] : Real(0);
    dx[c] += given;
    left[c] -= given;
  }
}

struct MaxPool2d {
  static constexpr std::string_view name = "max_pool2d";
  Windows windows;
  bool relu;
  Tensor x = {}, y = {};

  void describe(Attributes& a) const {
    windows.describe(a);
    a("relu", relu);
  }

  Tensor forward(const Tensor& input) {
    x = input;
    y = Tensor(windows.output());
    parallel_chunks(windows.rows(), windows.grain(), [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row)
        windows.disjoint() ? forward_disjoint(row) : forward_row(row);
    });
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    Tensor dx(windows.input());
    if (windows.disjoint())
      backward_disjoint(dy, dx);
    else
      backward_overlapping(dy, dx);
    return {dx};
  }

 private:
  PoolRow pool_row() const { return {windows.kernel(), x.dim(2), x.dim(3), y.dim(2), relu}; }

  // Where in x the first row of output row `row`'s windows begins.
  Index first_input(Index row) const {
    return (row / y.dim(1) * x.dim(1) + row % y.dim(1) * windows.kernel()) * x.dim(2) * x.dim(3);
  }

  void forward_disjoint(Index row) {
    kernels::active().max_pool.forward(pool_row(), x.data() + first_input(row),
                                       y.data() + row * y.dim(2) * y.dim(3));
  }

  void forward_row(Index row) {
    const Index channels = windows.channels();
    const Real* in = x.data();
    Real* out = y.data();
    windows.visit(row, [=](Index to, Index from, bool first) {
      if (first)
        std::copy_n(in + from, channels, out + to);
      else
        keep_larger(out + to, in + from, channels);
    });
    const Index width = y.dim(2) * channels;
    for (Index i = row * width; relu && i < (row + 1) * width; ++i)
      out[i] = out[i] <= 0 ? Real(0) : out[i];
  }

  void backward_disjoint(const Tensor& dy, Tensor& dx) const {
    const Index rows = y.dim(1), width = y.dim(2) * y.dim(3);
    const Index each = dx.size() / std::max<Index>(1, x.dim(0));
    const Index covered = rows * windows.kernel() * x.dim(2) * x.dim(3);
    parallel_chunks(x.dim(0), grain_rows(each), [&](Index begin, Index end) {
      for (Index row = begin * rows; row < end * rows; ++row)
        kernels::active().max_pool.backward(pool_row(), x.data() + first_input(row),
                                            y.data() + row * width, dy.data() + row * width,
                                            dx.data() + first_input(row));
      for (Index n = begin; n < end; ++n)
        std::fill(dx.data() + n * each + covered, dx.data() + (n + 1) * each, Real(0));
    });
  }

  void backward_overlapping(const Tensor& dy, Tensor& dx) const {
    Tensor left =
        relu ? map([](Real d, Real v) { return v > 0 ? d : Real(0); }, dy, y) : dy.clone();
    const Index channels = windows.channels(), rows = windows.output()[1];
    const Index samples = windows.input()[0], each = dx.size() / std::max<Index>(1, samples);
    parallel_chunks(samples, grain_rows(each), [&](Index begin, Index end) {
      std::fill(dx.data() + begin * each, dx.data() + end * each, Real(0));
      for (Index row = begin * rows; row < end * rows; ++row)
        windows.visit(row, [&](Index from, Index to, bool) {
          give_to_winners(dx.data() + to, left.data() + from, x.data() + to, y.data() + from,
                          channels);
        });
    });
  }
};

}  // namespace

Var max_pool2d(const Var& x, const Pool2dOptions& options) {
  return apply(MaxPool2d{Windows("max_pool2d", x.shape(), options), false}, x);
}

Var relu_max_pool2d(const Var& x, const Pool2dOptions& options) {
  return apply(MaxPool2d{Windows("max_pool2d", x.shape(), options), true}, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
