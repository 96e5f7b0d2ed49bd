#include <algorithm>

#include "core/elementwise.hpp"
#include "core/ops.hpp"
#include "core/strided.hpp"

/// y = the positions begin .. end - 1 of x along one axis.
///
///   dL/dx = dL/dy at these positions, 0 elsewhere
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Slice {
  static constexpr std::string_view name = "slice";
  int axis;
  Index begin, end;
  Shape shape = {};

  void describe(Attributes& a) const {
    a("axis", axis);
    a("begin", begin);
    a("end", end);
  }

  Tensor forward(const Tensor& x) {
    shape = x.shape();
    Tensor y(with_extent(shape, axis, end - begin));
    copy_strided(y.shape(), y.data(), strides_of(y.shape()), x.data() + offset(),
                 strides_of(shape));
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    Tensor dx(shape);
    const Index inner = strides_of(shape)[static_cast<std::size_t>(axis)];
    const Index row = shape[axis] * inner, before = begin * inner, kept = (end - begin) * inner;
    parallel_chunks(dx.size() / row, grain_rows(row), [&](Index first, Index last) {
      for (Index r = first; r < last; ++r) {
        Real* to = std::fill_n(dx.data() + r * row, before, Real(0));
        to = std::copy_n(dy.data() + r * kept, kept, to);
        std::fill_n(to, row - before - kept, Real(0));
      }
    });
    return {dx};
  }

 private:
  Index offset() const { return begin * strides_of(shape)[static_cast<std::size_t>(axis)]; }
};

}  // namespace

Var slice(const Var& x, int axis, Index begin, Index end) {
  axis = checked_axis("slice", x.shape(), axis);
  check(0 <= begin && begin < end && end <= x.shape()[axis], "[slice] impossible range: got ",
        begin, " to ", end, " along axis ", axis, " of x ", x.shape(),
        "; expected 0 <= begin < end <= ", x.shape()[axis]);
  return apply(Slice{axis, begin, end}, x);
}

Vars split(const Var& x, Index parts, int axis) {
  axis = checked_axis("split", x.shape(), axis);
  const Index extent = x.shape()[axis];
  check(parts > 0 && extent % parts == 0, "[split] no equal parts: got ", parts, " along axis ",
        axis, " of x ", x.shape(), "; expected a divisor of ", extent);
  Vars result;
  result.reserve(static_cast<std::size_t>(parts));
  for (Index i = 0; i < parts; ++i)
    result.push_back(slice(x, axis, i * (extent / parts), (i + 1) * (extent / parts)));
  return result;
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
