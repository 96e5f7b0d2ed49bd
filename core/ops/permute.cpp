#include <algorithm>
#include <numeric>

#include "core/ops.hpp"
#include "core/strided.hpp"

/// y[i] = x[j] with j[axes[d]] = i[d]: dimension d of y is dimension axes[d] of x.
///
///   dL/dx[j] = dL/dy[i]
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

using Order = std::array<int, Shape::max_rank>;

struct Permute {
  static constexpr std::string_view name = "permute";
  Order axes;
  Shape from, to;

  void describe(Attributes& a) const {
    a("axes", std::vector<Index>(axes.begin(), axes.begin() + to.rank()));
  }

  Tensor forward(const Tensor& x) const {
    Tensor y(to);
    copy_strided(to, y.data(), strides_of(to), x.data(), strides_in_x());
    return y;
  }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const {
    Tensor dx(from);
    copy_strided(to, dx.data(), strides_in_x(), dy.data(), strides_of(to));
    return {dx};
  }

 private:
  // How far a step along each dimension of y moves in x.
  Strides strides_in_x() const {
    const Strides own = strides_of(from);
    Strides strides{};
    for (std::size_t d = 0; d < static_cast<std::size_t>(to.rank()); ++d)
      strides[d] = own[static_cast<std::size_t>(axes[d])];
    return strides;
  }
};

}  // namespace

Var permute(const Var& x, std::span<const int> axes) {
  const int rank = x.value().rank();
  Order order{};
  bool each_once = static_cast<int>(axes.size()) == rank;
  for (int d = 0; each_once && d < rank; ++d) {
    each_once = std::count(axes.begin(), axes.end(), d) == 1;
    order[static_cast<std::size_t>(d)] = axes[static_cast<std::size_t>(d)];
  }
  check(each_once, "[permute] not an order of the dimensions: got ", axes.size(), " axes for x ",
        x.shape(), "; expected each of 0 to ", rank - 1, " once");
  std::array<Index, Shape::max_rank> to{};
  for (int d = 0; d < rank; ++d)
    to[static_cast<std::size_t>(d)] = x.shape()[order[static_cast<std::size_t>(d)]];
  const Shape shape{std::span(to).first(static_cast<std::size_t>(rank))};
  return apply(Permute{order, x.shape(), shape}, x);
}

Var permute(const Var& x, std::initializer_list<int> axes) {
  return permute(x, std::span(axes.begin(), axes.size()));
}

Var transpose(const Var& x, int first, int second) {
  Order axes{};
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes[static_cast<std::size_t>(checked_axis("transpose", x.shape(), first))],
            axes[static_cast<std::size_t>(checked_axis("transpose", x.shape(), second))]);
  return permute(x, std::span(axes).first(static_cast<std::size_t>(x.value().rank())));
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
