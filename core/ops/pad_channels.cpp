#include <algorithm>

#include "core/elementwise.hpp"
#include "core/ops.hpp"
#include "core/strided.hpp"

/// y[..., c] = x[..., c - before], zero where there is no such channel.
///
///   dL/dx[..., c] = dL/dy[..., c + before]
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct PadChannels {
  static constexpr std::string_view name = "pad_channels";
  Index before, after;
  Shape shape = {};

  void describe(Attributes& a) const {
    a("before", before);
    a("after", after);
  }

  Tensor forward(const Tensor& x) {
    shape = x.shape();
    const Index channels = shape[-1], width = before + channels + after;
    Tensor y(with_extent(shape, shape.rank() - 1, width));
    parallel_chunks(rows(), grain_rows(width), [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        Real* out = std::fill_n(y.data() + r * width, before, Real(0));
        out = std::copy_n(x.data() + r * channels, channels, out);
        std::fill_n(out, after, Real(0));
      }
    });
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    const Index channels = shape[-1], width = before + channels + after;
    Tensor dx(shape);
    parallel_chunks(rows(), grain_rows(width), [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r)
        std::copy_n(dy.data() + r * width + before, channels, dx.data() + r * channels);
    });
    return {dx};
  }

 private:
  Index rows() const { return shape.size() / std::max<Index>(1, shape[-1]); }
};

}  // namespace

Var pad_channels(const Var& x, Index before, Index after) {
  check(x.value().rank() > 0, "[pad_channels] no channels: got a scalar; expected [..., C]");
  check(std::min(before, after) >= 0 && std::max(before, after) <= Shape::max_size,
        "[pad_channels] impossible padding: got ", before, " and ", after, "; expected 0 to ",
        Shape::max_size);
  return apply(PadChannels{before, after}, x);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
