#include <algorithm>

#include "core/elementwise.hpp"
#include "core/indices.hpp"
#include "core/ops.hpp"
#include "core/strided.hpp"

/// y[o, n, i] = x[o, index[n], i], where o stands for the dimensions before the
/// axis, i for those behind, and n for those of `index`.  Along axis 0 of a
/// table it is the embedding of words.
///
///   dL/dx[o, r, i] = sum over n with index[n] = r of dL/dy[o, n, i]
///
/// The sum goes in order of n, whichever task does it: tasks share out the rows r.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Gather {
  static constexpr std::string_view name = "gather";
  int axis;
  Tensor indices;
  Shape from, to;

  void describe(Attributes& a) const { a("axis", axis); }

  Tensor forward(const Tensor& x) const {
    Tensor y(to);
    const Index count = indices.size(), width = inner();
    parallel_chunks(outer() * count, grain_rows(width), [&](Index begin, Index end) {
      for (Index k = begin; k < end; ++k) {
        const Index row = k / count * from[axis] + Index(indices[k % count]);
        std::copy_n(x.data() + row * width, width, y.data() + k * width);
      }
    });
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    constexpr Index most = 16;  // tasks along the axis: each reads all indices
    Tensor dx(from);
    const Index step = (from[axis] + most - 1) / most, tasks = (from[axis] + step - 1) / step;
    parallel_for(outer() * tasks, [&](Index task) {
      const Index begin = task % tasks * step;
      add_rows(task / tasks, begin, std::min(from[axis], begin + step), dy.data(), dx.data());
    });
    return {dx};
  }

 private:
  Index inner() const { return strides_of(from)[static_cast<std::size_t>(axis)]; }
  Index outer() const { return from.size() / (from[axis] * inner()); }

  // dx[o, r, :] for the rows r in [begin, end).
  void add_rows(Index o, Index begin, Index end, const Real* dy, Real* dx) const {
    const Index count = indices.size(), width = inner();
    dy += o * count * width;
    dx += o * from[axis] * width;
    std::fill(dx + begin * width, dx + end * width, Real(0));
    for (Index n = 0; n < count; ++n) {
      const Index r = Index(indices[n]);
      if (r < begin || r >= end) continue;
      Real* __restrict__ sums = dx + r * width;
      for (Index i = 0; i < width; ++i) sums[i] += dy[n * width + i];
    }
  }
};

}  // namespace

Var gather(const Var& x, const Tensor& indices, int axis) {
  const Shape& from = x.shape();
  axis = checked_axis("gather", from, axis);
  check(indices.size() > 0, "[gather] no indices: got ", indices.shape(),
        "; expected extents of 1 or more");
  check_indices("gather", "position", indices, from[axis]);
  check(from.rank() - 1 + indices.rank() <= Shape::max_rank, "[gather] too many dimensions: got x ",
        from, " and indices ", indices.shape(), "; expected a result of at most ", Shape::max_rank);
  std::array<Index, 2 * Shape::max_rank> dims{};
  auto end = std::copy_n(from.dims().begin(), axis, dims.begin());
  end = std::copy(indices.shape().dims().begin(), indices.shape().dims().end(), end);
  end = std::copy(from.dims().begin() + axis + 1, from.dims().end(), end);
  const Shape to(std::span<const Index>(dims.begin(), end));
  return apply(Gather{axis, indices, from, to}, x);
}

Var embedding(const Var& table, const Tensor& indices) {
  check(table.value().rank() == 2, "[embedding] no table: got ", table.shape(),
        "; expected table[rows, width]");
  return gather(table, indices, 0);
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
