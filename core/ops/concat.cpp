#include "core/ops.hpp"
#include "core/strided.hpp"

/// y = the inputs, one after the other along one axis.
///
///   dL/dx_k = the part of dL/dy where x_k stands
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Concat {
  static constexpr std::string_view name = "concat";
  int axis;
  Shape shape = {};                                    // of x_0, but for its extent at `axis`
  std::vector<Index, PoolAllocator<Index>> ends = {};  // of each input along `axis`

  void describe(Attributes& a) const { a("axis", axis); }

  Tensor forward(std::span<const Tensor> inputs) {
    shape = inputs[0].shape();
    ends.reserve(inputs.size());
    for (const Tensor& x : inputs) ends.push_back((ends.empty() ? 0 : ends.back()) + x.dim(axis));
    Tensor y(with_extent(shape, axis, ends.back()));
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      const Tensor& x = inputs[k];
      copy_strided(x.shape(), y.data() + offset(y, k), strides_of(y.shape()), x.data(),
                   strides_of(x.shape()));
    }
    return y;
  }

  Tensor backward(const Tensor& dy, std::size_t k) const {
    Tensor dx(with_extent(shape, axis, ends[k] - begin(k)));
    copy_strided(dx.shape(), dx.data(), strides_of(dx.shape()), dy.data() + offset(dy, k),
                 strides_of(dy.shape()));
    return dx;
  }

 private:
  Index begin(std::size_t k) const { return k == 0 ? 0 : ends[k - 1]; }

  Index offset(const Tensor& y, std::size_t k) const {
    return begin(k) * strides_of(y.shape())[static_cast<std::size_t>(axis)];
  }
};

}  // namespace

Var concat(std::span<const Var> inputs, int axis) {
  check(!inputs.empty(), "[concat] nothing to join: got no inputs; expected at least one");
  const Shape& first = inputs[0].shape();
  axis = checked_axis("concat", first, axis);
  for (const Var& x : inputs)
    check(x.value().rank() == first.rank() && with_extent(x.shape(), axis, first[axis]) == first,
          "[concat] shapes differ: got ", first, " and ", x.shape(), " to be joined along axis ",
          axis, "; expected the same extents everywhere else");
  return apply_list(Concat{axis}, inputs);
}

Var concat(std::initializer_list<Var> inputs, int axis) {
  return concat(std::span(inputs.begin(), inputs.size()), axis);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
