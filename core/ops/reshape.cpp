#include <algorithm>

#include "core/ops.hpp"

/// y = the numbers of x, in their order, under another shape of equal size; the
/// storage is shared.      dL/dx = dL/dy under the shape of x.
namespace fraqat::inline FRAQAT_PRECISION::op {
namespace {

struct Reshape {
  static constexpr std::string_view name = "reshape";
  Shape from, to;

  /// The new shape; its first extent is -1 where that is the batch, kept.
  void describe(Attributes& a) const {
    std::vector<Index> dims(to.dims().begin(), to.dims().end());
    if (from.rank() > 0 && to.rank() > 0 && from[0] == to[0]) dims[0] = -1;
    a("shape", dims);
  }

  Tensor forward(const Tensor& x) const { return x.reshape(to); }

  std::array<Tensor, 1> backward(const Tensor& dy, Needs<1>) const { return {dy.reshape(from)}; }
};

}  // namespace

Var reshape(const Var& x, std::array<Index, Shape::max_rank> dims, int rank) {
  check(rank >= 0 && rank <= Shape::max_rank, "[reshape] no such rank: got ", rank,
        "; expected 0 to ", Shape::max_rank);
  Index known = 1;
  Index* open = nullptr;
  for (Index& d : std::span(dims).first(static_cast<std::size_t>(rank))) {
    if (d != -1) {
      if (__builtin_mul_overflow(known, d, &known)) known = 0;  // divides nothing
      continue;
    }
    check(!open, "[reshape] more than one extent is open: got -1 twice; expected it once at most");
    open = &d;
  }
  if (open) {
    check(known > 0 && x.shape().size() % known == 0, "[reshape] no extent fits: got ", x.shape(),
          " to be divided by ", known, "; expected a divisor of ", x.shape().size());
    *open = x.shape().size() / known;
  }
  const Shape to{std::span(dims).first(static_cast<std::size_t>(rank))};
  check(to.size() == x.shape().size(), "[reshape] sizes differ: got ", x.shape(), " to ", to,
        "; expected the same number of elements");
  return apply(Reshape{x.shape(), to}, x);
}

Var reshape(const Var& x, std::initializer_list<Index> dims) {
  check(dims.size() <= Shape::max_rank, "[reshape] too many dimensions: got ", dims.size(),
        "; expected at most ", Shape::max_rank);
  std::array<Index, Shape::max_rank> all{};
  std::copy(dims.begin(), dims.end(), all.begin());
  return reshape(x, all, static_cast<int>(dims.size()));
}

Var flatten(const Var& x) {
  check(x.value().rank() > 0, "[flatten] no batch axis: got a scalar; expected [N, ...]");
  Index rest = 1;
  for (const Index d : x.shape().dims().subspan(1)) rest *= d;
  return reshape(x, {x.value().dim(0), rest});
}

}  // namespace fraqat::inline FRAQAT_PRECISION::op
